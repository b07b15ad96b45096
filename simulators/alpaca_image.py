"""An image on the wire: Alpaca's JSON arrays and ImageBytes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.alpaca_protocol import AlpacaError, next_transaction

VERSION, HEADER_BYTES = 1, 44
INT32, UINT16 = 2, 8  # ImageArrayElementTypes

Adu = NDArray[np.uint16]


def json_image(image: Adu) -> dict[str, Any]:
    """Rank, type and nested lists [x][y] of an image for the JSON reply."""
    return {"Type": INT32, "Rank": 2, "Value": image.T.tolist()}


def image_bytes(image: Adu, client_transaction: int) -> bytes:
    """An image as ImageBytes version 1: 16 bits on the wire, 32 bits meant, y fastest."""
    rows, columns = image.shape
    return (
        _header(client_transaction, 0, (INT32, UINT16, 2, columns, rows, 0))
        + np.ascontiguousarray(image.T, dtype="<u2").tobytes()
    )


def error_bytes(error: AlpacaError, client_transaction: int) -> bytes:
    """Why there is no image, as ImageBytes: the number in the header, the words where the pixels would be."""
    return _header(client_transaction, error.number, (0,) * 6) + error.message.encode()


def _header(client_transaction: int, error_number: int, shape: tuple[int, ...]) -> bytes:
    return struct.pack("<iiIIi6i", VERSION, error_number, client_transaction, next_transaction(), HEADER_BYTES, *shape)
