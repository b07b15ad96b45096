"""Where settings become concrete devices, guider and search: the only place that knows all the rooms.

Everything heavy (numpy, scipy, the devices, the bench) is imported inside the functions, so that ``--help``
stays quick.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autofocus.settings import MeasureSettings, Settings

if TYPE_CHECKING:
    from autofocus.devices.camera import AlpacaCamera
    from autofocus.devices.focuser import AlpacaFocuser
    from autofocus.devices.lookout import Lookout
    from autofocus.devices.phd2 import Phd2Guider
    from autofocus.frames.measuring import FileMeasurer, MeasuredFile, UnreadableFile
    from autofocus.frames.recorded import RecordedSeries
    from autofocus.ports import Clock, FramePicture
    from autofocus.session.engine import Ending
    from autofocus.session.journal import Journal
    from autofocus.session.stream import Listener
    from simulators.alpaca_server import BenchServer
    from simulators.phd2_server import Phd2Server

SHORTEST_WAIT_S = 5.0  # for the bench's guider at any speed: our own computing takes its time all the same


def focus(
    settings: Settings,
    clock: Clock,
    *,
    listeners: Sequence[Listener] = (),
    on_journal: Callable[[Journal], None] | None = None,
    recover: bool = False,
) -> Ending:
    """One run with the devices that the settings name."""
    from autofocus.devices.lookout import Lookout
    from autofocus.frames.saving import write_frame
    from autofocus.measure.modes import measure_frame
    from autofocus.search.plan import focus as begin
    from autofocus.session import engine
    from autofocus.session.rig import Rig

    with reachable(settings) as reached:
        lookout = Lookout()
        camera, focuser = devices(reached, clock, lookout)
        ending = engine.run(
            reached,
            Rig(camera, focuser, clock, guider(reached, clock), informant=lookout),
            begin=begin,
            measure=measure_frame,
            write_frame=write_frame,
            listeners=listeners,
            on_journal=on_journal,
            recover=recover,
        )
    return _reported(ending, settings)


def _reported(ending: Ending, settings: Settings) -> Ending:
    """The ending with its reports written; what could not be is a warning, also in result.json."""
    from autofocus.session.journal import write_result
    from autofocus.views.afterwards import leave_reports

    faults = [] if ending.folder is None else leave_reports(ending.folder, settings.session)
    if ending.folder is None or not faults:
        return ending
    result = {**ending.result, "warnings": [*ending.result["warnings"], *faults]}
    with suppress(OSError):  # the disk that took no report may not take this either
        write_result(ending.folder, result)
    return replace(ending, result=result)


def devices(settings: Settings, clock: Clock, lookout: Lookout | None = None) -> tuple[AlpacaCamera, AlpacaFocuser]:
    """The camera and the focuser, not yet opened."""
    from autofocus.devices.camera import AlpacaCamera
    from autofocus.devices.focuser import AlpacaFocuser

    camera = AlpacaCamera(settings.camera, clock, lookout=lookout)
    return camera, AlpacaFocuser(settings.focuser, clock, lookout=lookout)


def guider(settings: Settings, clock: Clock) -> Phd2Guider | None:
    """The guider; None for none, and for steady, which needs nothing but the camera of the session."""
    if settings.guider.kind != "phd2":
        return None
    from autofocus.devices.phd2 import Phd2Guider

    return Phd2Guider(settings.guider, clock)


def measurer(settings: MeasureSettings, position_pattern: str | None) -> FileMeasurer:
    """What turns files into numbers, one by one."""
    from autofocus.frames.measuring import FileMeasurer

    return FileMeasurer(settings, position_pattern=position_pattern)


def measure_files(
    paths: Sequence[Path], settings: MeasureSettings, position_pattern: str | None
) -> Iterator[MeasuredFile | UnreadableFile]:
    """Measure files in their order; with ``half_window_px: auto`` one window, of the widest frame, serves them all."""
    from autofocus.frames.measuring import MeasuredFile, measure_arrivals
    from autofocus.frames.pending import Arrival

    arrivals = [Arrival(path) for path in paths]
    measure = measurer(settings, position_pattern)
    if settings.half_window_px == "auto":
        first = [one for one in measure_arrivals(arrivals, measure) if isinstance(one, MeasuredFile)]
        widths = [one.measurement.fwhm_px for one in first if one.measurement.fwhm_px > 0]
        measure = measure.widened(max(widths, default=math.nan)) or measure
    yield from measure_arrivals(arrivals, measure)


def save_picture(taken: MeasuredFile | UnreadableFile, settings: MeasureSettings, path: Path) -> None:
    """Write the stretched frame of a file, with the trace and the window that were found, as a PNG."""
    from autofocus.frames.measuring import UnreadableFile
    from autofocus.session.pictures import picture_of
    from autofocus.views.framepicture import framepicture_png
    from autofocus.views.report import save

    if isinstance(taken, UnreadableFile):
        return
    drawn = framepicture_png(picture_of(taken.frame, taken.reading, settings), taken.measurement)
    if drawn is not None:
        save(drawn, path)


@contextmanager
def reachable(settings: Settings) -> Iterator[Settings]:
    """The settings with addresses that answer: with a ``simulator:`` section the bench is served while inside."""
    if settings.simulator is None:
        yield settings
        return
    wanted = settings.simulator
    server = bench_server(
        wanted.instrument,
        wanted.seed,
        speed=wanted.speed,
        assignments=(
            f"start_offset_steps={wanted.start_offset_steps}",
            f"start_objective={settings.search.objective}",
            f"lamp={int(settings.measure.mode == 'lines')}",
        ),
    )
    guider = settings.guider
    with server, ExitStack() as beside:
        address = {"address": server.address, "device_number": 0}
        settle = {"settle_s": settings.focuser.settle_s / wanted.speed}
        waits: dict[str, Any] = {
            "settle_time_s": guider.settle_time_s / wanted.speed,
            "settle_timeout_s": max(
                guider.settle_timeout_s / wanted.speed, min(SHORTEST_WAIT_S, guider.settle_timeout_s)
            ),
        }
        if guider.kind == "phd2":
            waits["address"] = beside.enter_context(guide_server(server)).address
        yield settings.model_copy(
            update={
                "camera": settings.camera.model_copy(update=address),
                "focuser": settings.focuser.model_copy(update=address | settle),
                "guider": guider.model_copy(update=waits),
            }
        )


def bench_server(
    instrument: str,
    seed: int,
    *,
    speed: float = 1.0,
    assignments: Sequence[str] = (),
    faults: Sequence[str] = (),
    port: int = 0,
    discovery_port: int | None = None,
) -> BenchServer:
    """The simulated bench, ready to be served over Alpaca on loopback; with faults it misbehaves as they say."""
    from autofocus.devices.clock import RealClock
    from simulators.alpaca_server import BenchServer
    from simulators.bench import Bench
    from simulators.options import BenchOptions, parse_options

    options = parse_options(assignments, BenchOptions(speed=speed))
    bench = Bench(instrument, seed, clock=RealClock(), options=options)
    if not faults:
        return BenchServer(bench, port=port, discovery_port=discovery_port)
    from simulators.faulty_server import FaultyBenchServer

    return FaultyBenchServer(bench, faults, port=port, discovery_port=discovery_port)


def guide_server(server: BenchServer, port: int = 0) -> Phd2Server:
    """A guider over PHD2's protocol on the bench of this server, in the place of the bench's own."""
    from simulators.phd2_server import Phd2Server

    return Phd2Server(server.application.bench, port=port)


def recorded_series(
    paths: Sequence[Path],
    settings: Settings,
    position_pattern: str | None,
    csv_columns: str | None,
    previews: dict[str, FramePicture] | None = None,
) -> RecordedSeries:
    """The measurements of recorded series: frames, folders of them, session folders, CSV tables, N.I.N.A. reports.

    ``previews`` gathers small pictures of the frames that are measured, by file name.
    """
    from autofocus.frames.measuring import FileMeasurer
    from autofocus.frames.recorded import gather_series
    from autofocus.frames.tables import parse_csv_columns
    from autofocus.session.pictures import pack, picture_of, unpack

    def keep(taken: MeasuredFile, asked: MeasureSettings) -> None:
        if previews is not None:  # a whole series of whole frames would not fit into memory
            name = taken.measurement.file
            previews[name] = unpack(name, pack(picture_of(taken.frame, taken.reading, asked)))

    mapping = parse_csv_columns(csv_columns) if csv_columns else None
    measure = FileMeasurer(settings.measure, position_pattern=position_pattern, show=keep)
    return gather_series(paths, measure, mapping)


def replayed(folder: Path, *, remeasure: bool) -> dict[str, Any]:
    """The result object of a recorded session that was led through the search again."""
    from autofocus.search.plan import focus as begin
    from autofocus.session.replay import read_recording, remeasured, replay

    recording = read_recording(folder)
    if remeasure:
        settings = MeasureSettings.model_validate(recording.started.settings.get("measure", {}))
        anew = measurer(settings, None)
        recording = remeasured(recording, lambda path: anew(path).measurement)
    return replay(recording, begin=begin)
