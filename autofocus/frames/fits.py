"""FITS files to frames and back: lazily, within bounds, and saying what is wrong with a file that is no frame."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from autofocus.errors import FrameError
from autofocus.frames.facts import Facts, luminance
from autofocus.frames.header import BLOCK, Header, read_header
from autofocus.frames.naming import position_from_name
from autofocus.frames.saving import write_frame
from autofocus.model import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_image", "glance", "is_whole", "read_frame", "write_frame"]

MAPPED_ABOVE = 256 * 1024**2
LARGEST_UNPACKED = 512 * 1024**2
GZIP_MAGIC = b"\x1f\x8b"
TAIL = 1024

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_UNREADABLE = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class Image:
    """Where the image of a file stands: its own header, and the primary one beside it."""

    header: Header
    primary: Header


def read_frame(path: Path, *, name_position: float | None = None, names_known: bool = False) -> Frame:
    """Read a FITS file as a frame.

    Parameters
    ----------
    path
        A .fit, .fits or .fts file, plain, gzipped or tile-compressed (by content, whatever its suffix).
    name_position, names_known
        With ``names_known`` the position that the name holds was judged among the other names of its set
        and is ``name_position``; otherwise the name is taken by itself.

    Returns
    -------
    Frame
        Raw pixels, shape (rows, columns); files above 256 MiB are memory-mapped, smaller ones are read so
        that no open handle keeps another program (or Windows) from renaming or deleting them.

    Raises
    ------
    FrameError
        When the file is gone, not whole, no FITS, holds no single 2-D image, or would unpack to more than
        512 MiB; the message says which, and the mend.
    """
    try:
        if path.is_dir():
            raise FrameError(f"{path.name}: is a folder; autofocus analyze {path.name} takes all frames in it")
        if not path.is_file():
            raise FrameError(f"{path.name}: there is no such file")
        with _opened(path) as stream:
            image = find_image(stream)
            raw = _pixels(path, stream, image)
    except _UNREADABLE as cause:
        raise FrameError(f"{path.name}: cannot be read ({_reason(cause)})") from cause
    except FrameError as fault:
        raise fault if fault.message.startswith(path.name) else FrameError(f"{path.name}: {fault.message}") from fault
    named = name_position if names_known else position_from_name(path.name)
    return _frame(path.name, raw, image, named)


def _reason(cause: BaseException) -> str:
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _opened(path: Path) -> IO[bytes]:
    """Open a plain or gzipped file, told apart by its first bytes."""
    with path.open("rb") as peek:
        packed = peek.read(2) == GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def find_image(stream: IO[bytes]) -> Image:
    """Walk the HDUs to the first 2-D image; `FrameError` says what the file holds instead."""
    primary: Header | None = None
    start, others, found = 0, 0, ""
    while others < 1000:
        header = _header_at(stream, start)
        if header is None:
            break
        primary = primary or header
        shape = _image_axes(header)
        if len(shape) == 2 and all(shape):
            return Image(header, primary)
        if len(shape) > 2 and not found:
            found = f"a cube of {' x '.join(map(str, shape[:9]))}; save single monochrome frames, not colour or stacks"
        others += 1
        start = header.next_start
    if primary is None:
        raise FrameError("it is empty")
    raise FrameError(f"it holds {found or 'no image'}" + ("" if found else f" ({others} empty or table parts)"))


def _header_at(stream: IO[bytes], start: int) -> Header | None:
    """Go to an HDU without reading past what may be unpacked."""
    if isinstance(stream, gzip.GzipFile) and start > LARGEST_UNPACKED:
        raise FrameError("it unpacks to more than 512 MiB; that is no frame")
    if start >= 2**62 or stream.seek(start) != start:
        return None
    return read_header(stream, start)


def _image_axes(header: Header) -> tuple[int, ...]:
    """The image axes of an HDU without the degenerate ones; () for tables and empty parts."""
    if header.compressed:
        count = header.integer("ZNAXIS")
        axes = tuple(header.integer(f"ZNAXIS{number + 1}") for number in range(min(count, 9)))
    elif header.start == 0 or header.values.get("XTENSION") == "IMAGE":
        axes = header.axes
    else:
        return ()
    return axes[:2] + tuple(length for length in axes[2:] if length != 1)


def _pixels(path: Path, stream: IO[bytes], image: Image) -> NDArray[Any]:
    """The pixels as stored, shape (rows, columns)."""
    if image.header.compressed:
        return _decompressed(stream, image.header)
    import numpy as np

    header = image.header
    columns, rows = header.axes[:2]
    bits = header.integer("BITPIX")
    if bits not in _DTYPES:
        raise FrameError(f"its header says BITPIX = {bits}, which FITS does not know")
    dtype, size = np.dtype(_DTYPES[bits]), rows * columns * abs(bits) // 8
    packed = isinstance(stream, gzip.GzipFile)
    if packed and header.data_start + size > LARGEST_UNPACKED:
        raise FrameError("it unpacks to more than 512 MiB; that is no frame")
    if not packed:
        there = path.stat().st_size - header.data_start
        if there < size:
            raise FrameError(f"it is not whole: {max(0, there)} of {size} bytes of its image are there")
    if not packed and size > MAPPED_ABOVE:
        return np.memmap(path, dtype=dtype, mode="r", offset=header.data_start, shape=(rows, columns))
    stream.seek(header.data_start)
    # Into memory of numpy's, which comes in huge pages where the system has them: half the time of bytes at 60 Mpx.
    pixels = np.empty((rows, columns), dtype)
    there = cast("io.BufferedReader", stream).readinto(pixels.data.cast("B"))
    if there < size:
        raise FrameError(f"it is not whole: {there} of {size} bytes of its image are there")
    pixels.flags.writeable = False
    return pixels


def _decompressed(stream: IO[bytes], header: Header) -> NDArray[Any]:
    """A tile-compressed image, by astropy; already in ADU."""
    import warnings

    from astropy.io import fits

    columns, rows = (header.integer(f"ZNAXIS{axis}") for axis in (1, 2))
    tile = max(1, header.integer("ZTILE1", columns)) * max(1, header.integer("ZTILE2", 1))
    if 8 * max(rows * columns, tile) > 2 * LARGEST_UNPACKED or header.next_start > LARGEST_UNPACKED:
        raise FrameError("it unpacks to more than 512 MiB; that is no frame")
    stream.seek(header.start)
    table = stream.read(header.next_start - header.start)
    if len(table) < header.data_start - header.start + header.data_bytes:
        raise FrameError("it is not whole: its compressed image ends early")
    empty = fits.PrimaryHDU().header.tostring().encode("ascii")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(io.BytesIO(empty + table), memmap=False) as parts:
                pixels: Any = parts[1].data
    except Exception as cause:
        raise FrameError(f"its compressed image cannot be unpacked ({_reason(cause)})") from cause
    if pixels is None or pixels.shape != (rows, columns):
        raise FrameError("its compressed image has another shape than its header says")
    unpacked: NDArray[Any] = pixels
    return unpacked


@dataclass(frozen=True, slots=True)
class Glance:
    """What a look at a file's headers tells: why it is no whole frame (yet), "" when it is, and when it was begun.

    ``hollow``: it ends in zeros, as one does whose bytes were reserved before they came.
    """

    missing: str
    started_utc: str | None = None
    hollow: bool = False


def glance(path: Path) -> Glance:
    """Judge by its headers and its size whether a file is a whole frame, without loading it.

    Of a gzipped file the last four bytes, the unpacked length, are compared.
    """
    try:
        with _opened(path) as stream:
            image = find_image(stream)
            needed = image.header.data_start + image.header.data_bytes
            started = Facts(image.header, image.primary).text("DATE-OBS")
            if isinstance(stream, gzip.GzipFile):
                return Glance(_missing_packed(path, stream, needed), started)
            there = path.stat().st_size
            if there < needed:
                return Glance(f"it is not whole: {there} of {needed} bytes are there", started)
            stream.seek(max(image.header.data_start, needed - TAIL))
            return Glance("", started, hollow=not any(stream.read(TAIL)))
    except _UNREADABLE as cause:
        return Glance(f"it cannot be read yet ({_reason(cause)})")
    except FrameError as fault:
        return Glance(fault.message)


def is_whole(path: Path) -> bool:
    """Whether header and pixels of a frame are all there, by the file's size, without loading it."""
    return not glance(path).missing


def _missing_packed(path: Path, stream: gzip.GzipFile, needed: int) -> str:
    """Judge a gzipped file by the length in its last bytes; unpack it only where that says nothing."""
    with path.open("rb") as tail:
        tail.seek(-4, io.SEEK_END)
        length = int.from_bytes(tail.read(4), "little")
    if needed <= length < needed + 1000 * BLOCK and length % BLOCK == 0:
        return ""
    if needed > LARGEST_UNPACKED:
        return "it unpacks to more than 512 MiB; that is no frame"
    there = stream.seek(needed)
    return "" if there == needed else f"it is not whole: {there} of {needed} unpacked bytes are there"


def _frame(name: str, raw: NDArray[Any], image: Image, named: float | None) -> Frame:
    """Pixels and headers as a `Frame`."""
    facts = Facts(image.header, image.primary)
    unpacked = image.header.compressed  # astropy has applied the scale already
    frame = Frame(
        raw=_tamed(raw),
        name=name,
        exposure_s=facts.exposure_s(),
        position=facts.position(named),
        started_utc=facts.text("DATE-OBS"),
        bzero=0.0 if unpacked else facts.number("BZERO", 0.0),
        bscale=1.0 if unpacked else facts.number("BSCALE", 1.0),
        gain_e_per_adu=facts.gain_e_per_adu(),
        saturation_adu=facts.saturation_adu(),
        headers=facts.headers,
    )
    return luminance(frame, facts)


def _tamed(raw: NDArray[Any]) -> NDArray[Any]:
    """Doubles as singles, so that an absurd one becomes infinite here, once, without a warning later."""
    if raw.dtype.kind != "f" or raw.dtype.itemsize != 8:
        return raw
    import numpy as np

    with np.errstate(all="ignore"):
        return raw.astype("f4")
