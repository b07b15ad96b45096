"""Best focus over the field: known planes and curvatures come back, within errors that mean what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autofocus.arcfield import FieldCell, FieldFocus
from autofocus.curve.field import fit_field, levelled
from autofocus.curve.fit import fit_focus
from autofocus.model import Measurement
from autofocus.session.series import analyze
from autofocus.settings import SearchSettings

SIZE = (1201, 401)
TRUTH = {"tilt_along_steps": 60.0, "tilt_across_steps": -24.0, "curvature_steps": 15.0}
MIDDLE = 5000.0


def focus_at(along: float, across: float) -> float:
    u, v = along / 600.0 - 1.0, across / 200.0 - 1.0
    square = (600.0**2 * u**2 + 200.0**2 * v**2) / (600.0**2 + 200.0**2)
    tilts = 0.5 * TRUTH["tilt_along_steps"] * u + 0.5 * TRUTH["tilt_across_steps"] * v
    return MIDDLE + tilts + TRUTH["curvature_steps"] * square


def frame(
    position: float, rng: np.random.Generator, columns: int = 5, rows: int = 3, part: float = 0.01
) -> Measurement:
    cells = []
    for column in range(columns):
        for row in range(rows):
            along, across = 1200.0 * (column + 0.5) / columns, 400.0 * (row + 0.5) / rows
            width = math.hypot(4.0, 0.1 * (position - focus_at(along, across)))
            cells.append(
                FieldCell(column, row, along, across, width * (1 + part * rng.standard_normal()), part * width, 4)
            )
    mean = float(np.mean([cell.fwhm_px for cell in cells]))
    return Measurement(
        position=position,
        fwhm_px=mean,
        fwhm_err_px=0.01,
        mode="lines",
        field=tuple(cells),
        field_px=SIZE,
        exposure_s=5.0,
    )


def sweep(seed: int, positions: np.ndarray | None = None, **how: int) -> list[Measurement]:
    rng = np.random.default_rng(seed)
    return [
        frame(float(at), rng, **how) for at in (np.arange(-160, 161, 40) + MIDDLE if positions is None else positions)
    ]


def fitted(measurements: list[Measurement]) -> FieldFocus:
    field = fit_field(measurements)
    assert field is not None
    return field


def test_tilt_and_curvature_come_back_within_their_errors() -> None:
    pulls = []
    for seed in range(30):
        field = fitted(sweep(seed))
        for name, truth in {**TRUTH, "position": MIDDLE}.items():
            error = field.uncertainty if name == "position" else getattr(field, name.replace("_steps", "_err_steps"))
            assert 0 < error < 6.0
            pulls.append((getattr(field, name) - truth) / error)
    assert abs(np.mean(pulls)) < 0.3
    assert 0.7 < np.std(pulls) < 1.3


def test_cells_have_their_own_focus() -> None:
    field = fitted(sweep(1))
    assert len(field.cells) == 15
    assert all(cell.bracketed for cell in field.cells)
    off = [(cell.position - focus_at(cell.along_px, cell.across_px)) / cell.uncertainty for cell in field.cells]
    assert 0.4 < np.std(off) < 1.6


def test_one_wild_cell_has_no_say() -> None:
    frames = sweep(2)
    wild = [
        Measurement(**{**_fields(one), "field": tuple(_moved(cell, k) for cell in one.field)})
        for k, one in enumerate(frames)
    ]
    field = fitted(wild)
    assert field.tilt_along_steps == pytest.approx(60.0, abs=4.0 * field.tilt_along_err_steps)
    assert abs(field.tilt_along_steps - 60.0) < 12.0


def _fields(one: Measurement) -> dict[str, object]:
    return {
        name: getattr(one, name) for name in ("position", "fwhm_px", "fwhm_err_px", "mode", "field_px", "exposure_s")
    }


def _moved(cell: FieldCell, k: int) -> FieldCell:
    if (cell.column, cell.row) != (4, 2):
        return cell
    return FieldCell(4, 2, cell.along_px, cell.across_px, 4.0 + abs(k - 1.0), 0.04, 1)


def test_what_the_lines_do_not_span_is_not_claimed() -> None:
    field = fitted(sweep(3, rows=1))
    assert math.isnan(field.tilt_across_steps)
    assert field.tilt_along_steps == pytest.approx(60.0, abs=12.0)
    assert fit_field(sweep(3, columns=2, rows=1)) is None
    assert fit_field([Measurement(position=5.0, fwhm_px=3.0)]) is None


def test_one_side_of_the_focus_is_told_as_such() -> None:
    frames = sweep(4, np.arange(60.0, 241.0, 30.0) + MIDDLE)
    result = analyze(frames, SearchSettings(objective="fwhm"))
    assert (result.outcome, result.reason) == ("no_focus", "not_bracketed")
    assert "inward" in result.message
    field = fitted(frames)
    assert any(not cell.bracketed for cell in field.cells)
    assert field.tilt_along_err_steps > fitted(sweep(4)).tilt_along_err_steps


def test_places_that_go_missing_out_of_focus_do_not_move_the_best_focus() -> None:
    whole = sweep(5)
    cut = [
        Measurement(**{**_fields(one), "field": kept, "fwhm_px": float(np.mean([cell.fwhm_px for cell in kept]))})
        for one in whole
        for kept in [one.field if abs((one.position or 0.0) - MIDDLE) < 100 else one.field[:6]]
    ]
    level = levelled(cut)
    for before, after in zip(whole, level, strict=True):
        assert after.fwhm_px == pytest.approx(before.fwhm_px, rel=0.02)
    best, other = (fit_focus(one, objective="fwhm").best for one in (whole, cut))
    assert best is not None
    assert other is not None
    assert abs(best.position - other.position) < 1.0
    assert fit_focus(whole, objective="snr").nsig is None
