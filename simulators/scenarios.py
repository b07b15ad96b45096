"""Nights on which searches are compared: the bench's default, and one departure from it each."""

from __future__ import annotations

from simulators.options import BenchOptions

SCENARIOS = {
    "plain": BenchOptions(),
    "good seeing": BenchOptions(seeing_arcsec=2.0),
    "bad seeing": BenchOptions(seeing_arcsec=6.0, seeing_scatter=0.12),
    "faint star": BenchOptions(star=0.03),
    "clouds": BenchOptions(clouds=True),
    "astigmatic": BenchOptions(astigmatism_steps=40.0),
    "chromatic": BenchOptions(chromatic_steps=120.0),
    "60 steps off": BenchOptions(start_offset_steps=-60),
    "150 steps off": BenchOptions(start_offset_steps=150),
    "250 steps off": BenchOptions(start_offset_steps=-250),
    "backlash": BenchOptions(backlash_steps=40),
}
