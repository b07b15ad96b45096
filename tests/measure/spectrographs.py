"""Frames of the spectrographs in use: name -> (maker, place, axis, tolerance), or (maker, words of the reason)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autofocus.model import Frame
from tests.measure.scenes import (
    Scene,
    absurd,
    amp_step,
    bayer,
    bias_gradient,
    dust,
    glow,
    hot_columns,
    moonlight,
    overscan,
    spikes,
)

Case = tuple[Callable[[], Frame], float, str, float] | tuple[Callable[[], Frame], tuple[str, ...]]


def even_continuum(scene: Scene, *, absorption: float = 0.0, emission_height: float = 0.0) -> np.ndarray:
    """A narrow piece of spectrum about H-alpha: flat, but for vignetting and the line."""
    line = np.exp(-0.5 * ((scene.u + 0.05) / 0.02) ** 2)
    return (1.0 - 0.1 * scene.u**2) * (1.0 - absorption * line + emission_height * line)


def molecular(scene: Scene) -> np.ndarray:
    """A cool star from the blue to the red: three decades of light, with heads of bands that fall back slowly."""
    spectrum = 10.0 ** (1.5 * scene.u)
    for head in np.linspace(-0.9, 0.8, 9):
        past = scene.u - head
        spectrum *= 1.0 - 0.85 * np.where(past > 0, np.exp(-past / 0.06), 0.0)
    return spectrum / spectrum.max()


def telluric(scene: Scene) -> np.ndarray:
    """A hot star in the red: nothing is left of the light in the bands of oxygen and water."""
    spectrum = 1.0 - 0.4 * scene.u
    for middle, width in ((-0.55, 0.05), (0.05, 0.07), (0.45, 0.12), (0.85, 0.09)):
        spectrum *= np.where(np.abs(scene.u - middle) < width / 2, 0.03, 1.0)
    return spectrum


def astigmatic(scene: Scene, row: float, flux: float, narrow: float, wide: float) -> Scene:
    """A trace that is sharp in one place of the length only."""
    sigma = (narrow + (wide - narrow) * np.abs(scene.u - 0.2)) / 2.3548
    d = scene.rows - row
    return scene.add(flux * scene.response * np.exp(-0.5 * (d / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)))


def spectra(seed: int = 1) -> dict[str, Case]:
    """Frames with one stellar spectrum that is to be measured."""
    cases: dict[str, Case] = {}

    def n(*shape: int, **facts: float) -> Scene:
        return Scene(shape=shape or (300, 900), seed=seed, **facts)

    def case(name: str, row: float, draw: Callable[[], Frame], axis: str = "x", tolerance: float = 2.0) -> None:
        cases[name] = (draw, row, axis, tolerance)

    def high(s: Scene, row: float, flux: float, width: float = 6.0, **line: float) -> Scene:
        return s.sky(5).star(row, flux, width, slant=6, spectrum=even_continuum(s, **line))

    case("Star'Ex, H-alpha", 160.0, lambda: high(n(), 160, 8000, absorption=0.6).frame())
    case("Star'Ex, vertical", 160.0, lambda: high(n(), 160, 8000, absorption=0.6).frame(vertical=True), "y")
    case("Be star, H-alpha five times the continuum", 160.0, lambda: high(n(), 160, 3000, emission_height=4.0).frame())
    case("Be star, faint", 160.0, lambda: high(n(), 160, 250, emission_height=4.0).frame())
    case("Lhires, cut frame", 61.0, lambda: high(n(120, 800), 61, 4000, 8.0, absorption=0.4).frame())
    case("even and faint", 160.0, lambda: high(n(), 160, 200).frame())
    case("even, between neon sky", 160.0, lambda: high(n(), 160, 2500).sky(0, lines=9, strength=2500).frame())

    def alpy(s: Scene, flux: float, level: float = 60.0, decker: tuple[int, int] = (60, 250)) -> Scene:
        lit = 1 / (1 + np.exp(-(s.u + 0.55) * 40)) / (1 + np.exp((s.u - 0.6) * 25))
        s.sky(level, lines=6, strength=1500, slit=decker)
        return s.star(170.0, flux, 3.2, slant=-4, spectrum=lit * s.response)

    case("Alpy, half the length lit", 170.0, lambda: alpy(n(), 3000).frame())
    case("Alpy, faint", 170.0, lambda: alpy(n(), 400).frame())
    case("Alpy, by moonlight", 170.0, lambda: alpy(n(), 3000, 1500).frame())
    case("Alpy, short slit", 170.0, lambda: alpy(n(), 3000, 300, (140, 205)).frame())
    case("UVEX, astigmatic", 140.0, lambda: astigmatic(n().sky(20), 140, 4000, 3, 22).frame())
    case("UVEX, astigmatic and faint", 140.0, lambda: astigmatic(n().sky(20), 140, 700, 3, 22).frame(), tolerance=3)
    case("LISA, colour camera", 130.0, lambda: n().sky(20, lines=8).star(130, 3000).frame(bayer))
    case("LISA, colour camera, vertical", 130.0, lambda: n().sky(20).star(130, 3000).frame(bayer, vertical=True), "y")
    case("LISA, dusty slit", 130.0, lambda: n().sky(500, lines=8, slit=(30, 270)).star(130, 3000).frame(dust))

    def long_slit(s: Scene, flux: float) -> Scene:
        return s.sky(80, lines=30, strength=4000, slit=(30, 280)).star(185, flux, 4.5, slant=9, spectrum=s.response)

    case("long slit", 185.0, lambda: long_slit(n(300, 2000), 700).frame(amp_step))
    case("long slit, overscan", 185.0, lambda: long_slit(n(300, 2000), 500).frame(overscan))
    case("long slit, vertical", 185.0, lambda: long_slit(n(300, 2000), 500).frame(vertical=True), "y")
    case("cool star", 150.0, lambda: (lambda s: s.sky(15).star(150, 20000, 4, spectrum=molecular(s)))(n()).frame())
    case("telluric bands", 150.0, lambda: (lambda s: s.sky(15).star(150, 2500, 4, spectrum=telluric(s)))(n()).frame())
    case(
        "nebula over the whole slit",
        150.0,
        lambda: n().sky(40).lines([0.3, 0.31, 0.62], 9000, slit=(20, 280)).star(150, 700).frame(),
    )
    case(
        "a third of the length",
        150.0,
        lambda: (lambda s: s.sky(15).star(150, 6000, 4, spectrum=np.exp(-(((s.u - 0.2) / 0.25) ** 4))))(n()).frame(),
    )
    case(
        "second order on the red half",
        150.0,
        lambda: (lambda s: s.sky(15).star(150, 2500, 4, spectrum=s.response + 2.0 * (s.u > 0.3) * (s.u - 0.3)))(
            n()
        ).frame(),
    )
    for rows, columns in ((200, 260), (260, 200), (64, 640), (300, 800), (100, 128)):
        case(
            f"{rows} x {columns}",
            0.55 * rows,
            lambda rows=rows, columns=columns: (lambda s: s.sky(15).star(0.55 * rows, 3000, 4, spectrum=s.response))(
                n(rows, columns)
            ).frame(),
        )
    case("three pixels from the edge", 3.0, lambda: n().sky(15).star(3, 3000).frame())
    case("wide, near the edge", 30.0, lambda: n().sky(15).star(30, 9000, 30, kind="gauss").frame(), tolerance=4)
    case("ring near the edge", 60.0, lambda: n().sky(15).star(60, 20000, 80, kind="disc").frame(), tolerance=6)
    case("five in a hundred", 150.0, lambda: n().sky(15).star(150, 3000, slant=45).frame())
    case("five in a hundred, vertical", 150.0, lambda: n().sky(15).star(150, 3000, slant=-45).frame(vertical=True), "y")
    case("bent", 150.0, lambda: n().sky(15).star(150, 3000, slant=-8, bend=-15).frame())
    case("equal stars close by", 100.0, lambda: n().sky(15).star(100, 3200).star(120, 3000).frame())
    case("trailed", 150.0, lambda: n().sky(15).star(150, 6000, 45, kind="trail").frame(), tolerance=4)
    case("moonlight", 150.0, lambda: n().sky(4000).star(150, 4000).frame(moonlight))
    case("moonlight, faint star", 150.0, lambda: n().sky(1500).star(150, 1000).frame(moonlight))
    case(
        "in a galaxy", 150.0, lambda: n().sky(30).star(155, 4000, 90, kind="gauss").star(150, 1500).frame(), tolerance=3
    )
    case("glow in the corner", 80.0, lambda: n().sky(5).star(80, 700).frame(glow))
    case("wrapped pixels", 150.0, lambda: n().sky(15).star(150, 2000).frame(absurd([-32768, 32767]), dtype=np.int16))
    case("bias with a slope", 150.0, lambda: n().sky(5).star(150, 500).frame(bias_gradient))
    case("hot columns", 150.0, lambda: n().sky(5).star(150, 500).frame(hot_columns))
    return cases


def others(seed: int = 1) -> dict[str, Case]:
    """Frames without a stellar spectrum, and what must be said of them."""
    cases: dict[str, Case] = {}

    def n(*shape: int, **facts: float) -> Scene:
        return Scene(shape=shape or (300, 900), seed=seed, **facts)

    def case(name: str, draw: Callable[[], Frame], *words: str) -> None:
        cases[name] = (draw, words)

    neon = (0.08, 0.13, 0.19, 0.22, 0.3, 0.34, 0.41, 0.52, 0.55, 0.69, 0.74, 0.88)
    for low, high in ((135, 165), (110, 190), (60, 250)):
        case(f"lamp along {high - low} px of slit", lambda a=low, b=high: n().lines(neon, slit=(a, b)).frame(), "arc")
        case(
            f"lamp along {high - low} px of slit, vertical",
            lambda a=low, b=high: n().lines(neon, slit=(a, b)).frame(vertical=True),
            "arc",
        )
    case("lamp, three lines along a short slit", lambda: n().lines((0.2, 0.45, 0.8), slit=(110, 190)).frame(), "arc")
    case("lamp, saturated, with scattered light", lambda: n().sky(300).lines(neon, 4e5, slit=(40, 260)).frame(), "arc")
    case("lamp on a square frame", lambda: n(600, 640).lines(neon, slit=(80, 520), tilt=4).frame(), "arc")
    case("lamp, narrow frame", lambda: n(120, 800).lines(neon).frame(), "arc")
    case("lamp, weak and many", lambda: n().lines(np.linspace(0.03, 0.97, 40), 120, slit=(40, 260)).frame(), "arc")
    case("lamp on a small frame", lambda: n(200, 260).lines(neon[::2]).frame(), "arc")

    def tungsten(s: Scene, level: float, slit: tuple[int, int] | None) -> Scene:
        lamp = level * 10.0 ** (0.9 * (s.u - 1.0))
        within = 1.0 if slit is None else 0.25 * (1 + np.tanh(s.rows - slit[0])) * (1 + np.tanh(slit[1] - s.rows))
        return s.add(lamp * within * (1 + 0.05 * s.rows / s.shape[0]))

    case("tungsten, whole height", lambda: tungsten(n(), 40000, None).frame(dust), "flat")
    case("tungsten, slit", lambda: tungsten(n(), 40000, (50, 260)).frame(dust), "flat")
    case("tungsten, short slit", lambda: tungsten(n(), 40000, (110, 200)).frame(dust), "flat")
    case("daylight", lambda: (lambda s: s.add(9000 * (1 + 0 * s.rows) * telluric(s)))(n()).frame(dust), "flat")
    case("slit, white light", lambda: n().lines([0.5], 20000, width=9.0, slit=(20, 280)).frame(), "slit")
    case("slit, white light, wide", lambda: n().lines([0.5], 20000, width=24.0, slit=(20, 280)).frame(), "slit")
    case("bias with a slope", lambda: n().frame(bias_gradient), "bias")
    case("dark with hot columns", lambda: n().add(10).frame(hot_columns), "dark")
    case("dark with glow", lambda: n().add(10).frame(glow), "dark")
    case("colour camera, dark", lambda: n().add(10).frame(bayer), "dark")
    case("bright star with spikes", lambda: n(600, 800).sky(20).points(5).frame(spikes), "star")
    case("one star", lambda: n(400, 500).sky(20).points(1, 2e6, 6.0).frame(), "star")
    case("a field, low frame", lambda: n(200, 900).sky(20).points(30).frame(), "star")
    case("galaxy", lambda: n(400, 600).sky(50).points(1, 3e6, 90.0).points(30).frame(), "star")
    return cases
