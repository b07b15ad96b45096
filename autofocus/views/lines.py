"""Plain lines: one frame as the original helper prints it, and an analysed series, for terminals, pipes and logs."""

from __future__ import annotations

import math
from collections.abc import Iterable

from autofocus.digits import with_error
from autofocus.model import CurveFit, FocusResult, Measurement
from autofocus.session.advice import OPTIMUM, diagnosis, disagreement
from autofocus.session.fieldtext import field_sentences
from autofocus.session.records import field_of

LISTED = 3


def printable(text: str) -> str:
    """The text with everything escaped that a terminal would obey or hide (controls, bidi marks, broken bytes)."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def light_name(measurements: Iterable[Measurement]) -> str:
    """What the light of these frames is called: NSIG behind a slit, else the stars' flux."""
    return "flux" if any(one.mode == "stars" for one in measurements) else "NSIG"


def frame_line(measurement: Measurement) -> str:
    """The line of one frame in CONTRACT's form, further facts after `` | ``; of stars the half-flux radius too."""
    facts = [f"FWHM = {_width(measurement)}"]
    if measurement.mode != "lines":  # a lamp's light says nothing of focus and is not measured
        facts.append(f"{light_name([measurement])} = {_number(measurement.nsig)}")
    if measurement.stars:
        count = len(measurement.stars)
        facts += [f"HFR {measurement.hfr_px:.2f}px", f"{count} star{'' if count == 1 else 's'}"]
    if measurement.position is not None:
        facts.append(f"position {measurement.position:g}")
    if math.isfinite(measurement.snr):
        facts.append(f"SNR {measurement.snr:.0f}" if measurement.snr >= 10 else f"SNR {measurement.snr:.1f}")
    if measurement.field:
        facts.append(f"{sum(cell.lines for cell in measurement.field)} lines in {len(measurement.field)} places")
    if measurement.verdict:
        facts.append(measurement.verdict)
    if measurement.flags:
        facts.append(" ".join(measurement.flags))
    facts.extend(measurement.notes)
    return printable(f"{measurement.file}: {' | '.join(facts)}")


def measured(measurement: Measurement) -> list[str]:
    """The two numbers of a frame with their errors, those that it has."""
    said = []
    if math.isfinite(measurement.fwhm_px):
        said.append(f"FWHM {with_error(measurement.fwhm_px, measurement.fwhm_err_px, 2)} px")
    if math.isfinite(measurement.nsig):
        said.append(f"{light_name([measurement])} {with_error(measurement.nsig, measurement.nsig_err, 1)} ADU/s")
    return said


def unreadable_line(file: str, error: str) -> str:
    """The line of a file that could not be read as a frame."""
    return printable(f"{file}: {error.removeprefix(f'{file}: ')}")


def _width(measurement: Measurement) -> str:
    if not math.isfinite(measurement.fwhm_px):
        return "n/a"
    arcsec = f' -> {measurement.fwhm_arcsec:.2f}"' if math.isfinite(measurement.fwhm_arcsec) else ""
    return f"{measurement.fwhm_px:.2f}px{arcsec}"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "n/a"


def result_lines(result: FocusResult) -> list[str]:
    """An analysed series for a person: the answer, both optima with their errors, what each costs, the warnings."""
    curves = result.curves
    lines = [result.message]
    if curves.best is not None and result.outcome == "focused":
        best = curves.best
        lines.append(f"  by {best.objective}: {with_error(best.position, best.uncertainty)}")
        lines.append(f"  within 2 % of the best from {best.low:.0f} to {best.high:.0f}")
    lines.extend(_curve_line(curve) for curve in (curves.fwhm, curves.nsig) if curve is not None)
    lines.extend(f"  {sentence}" for sentence in curves.losses)
    field = field_of(result.measurements)
    lines.extend(f"  {sentence}" for sentence in (field_sentences(field) if field is not None else ()))
    lines.extend(_left_out(result))
    # two optima apart are what this instrument is like, not a fault of the series
    remarks = {disagreement(curves), diagnosis(curves)}
    said = dict.fromkeys((*result.warnings, *curves.warnings))
    lines.extend(f"  {sentence}" for sentence in said if sentence in remarks)
    lines.extend(f"warning: {sentence}" for sentence in said if sentence not in remarks)
    return [printable(line) for line in lines]


def _curve_line(curve: CurveFit) -> str:
    value = f"{curve.value:.2f}px" if curve.metric == "fwhm" else f"{curve.value:.2f} ADU/s"
    quality = "" if curve.r_squared is None else f", R² {curve.r_squared:.3f}"
    where = f"{OPTIMUM[curve.metric]} at {with_error(curve.position, curve.uncertainty)}"
    return f"  {curve.metric.upper()} {where}: {value} ({curve.model}, {curve.points} points{quality})"


def _left_out(result: FocusResult) -> list[str]:
    """The frames that the fit did not use, by reason; many with one reason are counted, not listed."""
    by_reason: dict[str, list[str]] = {}
    for index, why in sorted(result.curves.left_out.items()):
        by_reason.setdefault(why, []).append(_called(result.measurements[index]))
    return [
        f"  left out: {', '.join(names) if len(names) <= LISTED else f'{len(names)} frames'}: {why}"
        for why, names in by_reason.items()
    ]


def _called(measurement: Measurement) -> str:
    position = "no position" if measurement.position is None else f"{measurement.position:g}"
    return measurement.file or position
