"""Whatever bytes come from outside: nothing but our own errors, in bounded time and memory.

Fuzzing of settings, FITS bytes, ImageBytes and the bench's requests stands beside the tests of those rooms; here
is what crosses them: the journal, tables, replies, and headers made of valid cards that lie.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autofocus.devices.replies import MalformedReply, plain, read_reply
from autofocus.errors import DeviceError, FrameError, JournalError
from autofocus.frames.fits import glance, read_frame
from autofocus.frames.tables import read_series
from autofocus.session import events
from autofocus.session.history import unfinished
from autofocus.session.journal import EVENTS, read_events
from autofocus.session.replay import read_recording

MEMORY_BYTES = 64 << 20
TIME_S = 5.0
AGAIN = settings(max_examples=80)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["elapsed_s", "position", "target", "measurement", "curves", "positions", "start_position", "focuser_key", "result"]
)
journal_lines = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda kind, more: json.dumps({"event": kind, **more}).encode(),
        st.sampled_from([*events.KINDS, "Other", ""]),
        st.dictionaries(fields, json_values, max_size=5),
    ),
)


def bounded(run: Any) -> None:
    """Do it; it must take little time and memory."""
    began = time.monotonic()
    tracemalloc.start()
    try:
        run()
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < MEMORY_BYTES
    assert time.monotonic() - began < TIME_S


@AGAIN
@given(st.lists(journal_lines, max_size=6))
def test_no_journal_leads_out_of_our_errors(tmp_path: Path, lines: list[bytes]) -> None:
    session = tmp_path / "2026-01-01T00-00-00"
    session.mkdir(exist_ok=True)
    (session / EVENTS).write_bytes(b"\n".join(lines))
    for read in (lambda: list(read_events(session)), lambda: read_recording(session)):
        with contextlib.suppress(JournalError):  # refused is as good as read
            read()
    unfinished(tmp_path, "focuser")  # a spoilt journal never keeps the next run from beginning


@AGAIN
@given(
    st.sampled_from(["points.csv", "report.json"]),
    st.binary(max_size=300) | json_values.map(lambda v: json.dumps(v).encode()),
)
def test_no_table_leads_out_of_our_errors(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    try:
        read_series(path)
    except FrameError as fault:
        assert len(fault.message) < 1000  # noqa: PT017  either outcome is right


@AGAIN
@given(st.binary(max_size=200) | json_values.map(lambda v: json.dumps(v).encode()), st.sampled_from([200, 400, 500]))
def test_no_reply_leads_out_of_our_errors(body: bytes, status: int) -> None:
    try:
        read_reply(body, status, "camera 0", "gain")
    except (DeviceError, MalformedReply) as fault:
        assert str(fault).isprintable()  # noqa: PT017  either outcome is right


@AGAIN
@given(st.text(max_size=500))
def test_foreign_text_is_one_short_printable_line(text: str) -> None:
    said = plain(text)
    assert len(said) <= 200
    assert said.isprintable()


def cards(**values: Any) -> bytes:
    """A FITS header of these cards."""
    text = "".join(f"{key:<8}= {value!s:>20}".ljust(80) for key, value in values.items())
    return (text + "END".ljust(80)).ljust(2880 * (1 + len(text) // 2880)).encode()


@AGAIN
@given(
    st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70), st.sampled_from([8, 16, 32, -32, -64, 7]),
    st.integers(-1, 1000), st.booleans(),
)  # fmt: skip
def test_a_header_that_lies_costs_nothing(
    tmp_path: Path, width: int, height: int, bits: int, axes: int, packed: bool
) -> None:
    data = cards(SIMPLE="T", BITPIX=bits, NAXIS=axes, NAXIS1=width, NAXIS2=height) + b"\0" * 2880
    path = tmp_path / "lie.fits"
    path.write_bytes(gzip.compress(data, 1) if packed else data)

    def read() -> None:
        glance(path)
        try:
            assert min(read_frame(path).shape) > 0
        except FrameError as fault:
            assert len(fault.message) < 500  # noqa: PT017  either outcome is right

    bounded(read)


@pytest.mark.parametrize("depth", [10, 100_000])
def test_deeply_nested_events_cost_little(tmp_path: Path, depth: int) -> None:
    (tmp_path / EVENTS).write_text('{"event":"Warned","message":' + "[" * depth + "]" * depth + "}\n")

    def read() -> None:
        with contextlib.suppress(JournalError):  # refused is as good as read
            list(read_events(tmp_path))

    bounded(read)
