"""Images as Alpaca servers send them, ImageBytes or JSON, turned into (rows, columns).

Alpaca orders an image [x][y], y running fastest; numpy and FITS want rows and columns. Both decoders are pure:
bytes in, a contiguous array out, and a damaged image raises `FrameError`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autofocus.devices.replies import MalformedReply, plain, read_reply, refusal
from autofocus.errors import FrameError

HEADER_BYTES = 44
MAX_PIXELS = 1 << 28  # no sensor for spectrographs comes near; a header that claims more is damaged
MAX_PLANES = 4

# The transmission element types of ImageBytes version 1.
_TYPES = {1: "<i2", 2: "<i4", 3: "<f8", 4: "<f4", 5: "<u8", 6: "u1", 7: "<i8", 8: "<u2", 9: "<u4"}


@dataclass(frozen=True, slots=True)
class _Header:
    """The eleven little-endian 32-bit integers that ImageBytes begins with."""

    version: int
    error_number: int
    client_transaction: int
    server_transaction: int
    data_start: int
    image_type: int
    transmission_type: int
    rank: int
    columns: int
    rows: int
    planes: int

    @classmethod
    def read(cls, body: memoryview) -> _Header:
        if len(body) < HEADER_BYTES:
            raise FrameError(f"The image has {len(body)} bytes, less than its header of {HEADER_BYTES}.")
        return cls(*(int(value) for value in np.frombuffer(body[:HEADER_BYTES], "<i4")))

    def faults(self, length: int) -> list[str]:
        """Everything in which the header contradicts the format or the length of the body."""
        depth = self.planes if self.rank == 3 else 1
        checks = {
            f"version {self.version}": self.version == 1,
            f"image element type {self.image_type}": 0 <= self.image_type <= 9,
            f"transmission element type {self.transmission_type}": self.transmission_type in _TYPES,
            f"rank {self.rank}": self.rank in (2, 3),
            f"{self.columns} columns": self.columns > 0,
            f"{self.rows} rows": self.rows > 0,
            f"{self.planes} planes": self.planes in (0, 1) if self.rank == 2 else 1 <= self.planes <= MAX_PLANES,
            f"{self.columns} x {self.rows} pixels": self.columns * self.rows <= MAX_PIXELS,
            f"data at byte {self.data_start}": HEADER_BYTES <= self.data_start <= length,
        }
        faults = [what for what, good in checks.items() if not good]
        if not faults:
            size = np.dtype(_TYPES[self.transmission_type]).itemsize
            needed = self.data_start + self.columns * self.rows * depth * size
            if length != needed:
                faults.append(f"{length} bytes where {needed} belong")
        return faults


def decode(body: bytes | bytearray | memoryview, device: str = "camera") -> NDArray[Any]:
    """Decode ImageBytes to a contiguous array of shape (rows, columns); colour planes are summed.

    The dtype is that of the transmission (a sender picks the smallest that fits, so it may differ from frame
    to frame). Raises `DeviceRefused` when the body carries an ASCOM error, `FrameError` when it is damaged.
    """
    view = memoryview(body)
    header = _Header.read(view)
    if header.version == 1 and header.error_number != 0:
        start = header.data_start if HEADER_BYTES <= header.data_start <= len(view) else HEADER_BYTES
        said = bytes(view[start : start + 2000]).decode("utf-8", "replace")
        raise refusal(device, "imagearray", header.error_number, said)
    if faults := header.faults(len(view)):
        raise FrameError("The image is damaged: its header says " + ", ".join(faults) + ".")
    values = np.frombuffer(view[header.data_start :], _TYPES[header.transmission_type])
    if header.rank == 3:
        return _rows_and_columns(_sum_planes(values.reshape(header.columns, header.rows, header.planes)))
    return _rows_and_columns(values.reshape(header.columns, header.rows))


def decode_json(body: bytes | bytearray, device: str = "camera", status: int = 200) -> NDArray[Any]:
    """Decode a JSON ImageArray; the same promises as `decode`, one image column in memory as text at a time."""
    text = bytes(body)
    first, last = text.find(b"["), text.rfind(b"]")
    if first < 0 or last < first:
        raise FrameError("The image is damaged: " + _no_image(text, device, status))
    envelope = text[:first] + b"0" + text[last + 1 :]
    try:
        read_reply(envelope, status, device, "imagearray")
    except MalformedReply as error:
        raise FrameError(f"The image is damaged: {plain(error)}.") from error
    array = text[first : last + 1]
    depth = _opening(array)
    if depth == 3:
        planes = [_numbers(column, nested=True) for column in re.split(rb"\]\s*\]\s*,\s*\[\s*\[", array)]
        return _rows_and_columns(_sum_planes(_stacked(planes)))
    if depth != 2:
        raise FrameError(f"The image is damaged: an array of rank {depth}.")
    return _rows_and_columns(_stacked([_numbers(column) for column in re.split(rb"\]\s*,\s*\[", array)]))


def _opening(array: bytes) -> int:
    """How many brackets open the array."""
    opening = re.match(rb"[\[\s]+", array)
    return opening.group().count(b"[") if opening else 0


def _no_image(text: bytes, device: str, status: int) -> str:
    try:
        read_reply(text, status, device, "imagearray")
    except MalformedReply as error:
        return f"{plain(error)}."
    return "a reply without an array."


def _numbers(column: bytes, *, nested: bool = False) -> NDArray[Any]:
    """One column of the image: ``1,2,3`` or, with planes, ``1,2,3],[4,5,6``."""
    inner = column.strip(b"[] \t\r\n")
    try:
        values = np.array(json.loads(b"[[" + inner + b"]]" if nested else b"[" + inner + b"]"))
    except (ValueError, RecursionError) as error:
        raise FrameError("The image is damaged: its numbers cannot be read.") from error
    if values.dtype.kind not in "iuf" or values.ndim != (2 if nested else 1) or values.size == 0:
        raise FrameError("The image is damaged: its columns hold something other than numbers.")
    return values.astype("f8" if values.dtype.kind == "f" else "i4" if _fits_i4(values) else "i8", copy=False)


def _fits_i4(values: NDArray[Any]) -> bool:
    limits = np.iinfo("i4")
    return bool(values.min() >= limits.min and values.max() <= limits.max)


def _stacked(columns: list[NDArray[Any]]) -> NDArray[Any]:
    if len({column.shape for column in columns}) != 1:
        raise FrameError("The image is damaged: its columns differ in length.")
    if len(columns) * columns[0].size > MAX_PIXELS:
        raise FrameError(f"The image is damaged: {len(columns)} x {len(columns[0])} pixels.")
    return np.stack(columns)


def _sum_planes(image: NDArray[Any]) -> NDArray[Any]:
    """Sum [x][y][plane] over the planes in a type that holds the sum."""
    wide = image.dtype if image.dtype.kind == "f" else np.dtype("i8" if image.dtype.itemsize >= 4 else "i4")
    total: NDArray[Any] = image.sum(axis=2, dtype=wide)
    return total


def _rows_and_columns(image: NDArray[Any]) -> NDArray[Any]:
    turned = np.ascontiguousarray(image.T)
    return turned.astype(turned.dtype.newbyteorder("="), copy=False)
