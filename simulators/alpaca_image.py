"""An image on the wire: Alpaca's JSON arrays and ImageBytes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.alpaca_protocol import next_transaction

INT32, UINT16 = 2, 8  # ImageArrayElementTypes

Adu = NDArray[np.uint16]


def json_image(image: Adu) -> dict[str, Any]:
    """Rank, type and nested lists [x][y] of an image for the JSON reply."""
    return {"Type": INT32, "Rank": 2, "Value": image.T.tolist()}


def image_bytes(image: Adu, client_transaction: int) -> bytes:
    """An image as ImageBytes version 1: 16 bits on the wire, 32 bits meant, y fastest."""
    rows, columns = image.shape
    header = struct.pack(
        "<iiIIiiiiiii", 1, 0, client_transaction, next_transaction(), 44, INT32, UINT16, 2, columns, rows, 0
    )
    return header + np.ascontiguousarray(image.T, dtype="<u2").tobytes()
