"""The table of frames: where the trace lies, or the words of the reason why there is none."""

import numpy as np

from autofocus.model import Frame
from tests.measure.scenes import (
    Scene,
    absurd,
    amp_step,
    amp_step_rows,
    bad_lines,
    banding,
    banding2,
    bands,
    echelle,
    emission,
    flat,
    glow,
    overscan,
    overscan_rows,
    replace_bias,
    vignette,
)


# name: (maker(seed) -> Frame, row at the middle or None, axis)
def table(seed=1):
    """All cases: name -> (frame maker, expected place, axis) or (maker, word of the reason)."""
    cases = {}

    def yes(name, make, row, axis="x", tol=2.0):
        cases[name] = (make, row, axis, tol)

    def no(name, make, *words):
        cases[name] = (make, words)

    def n(**k):
        return Scene(seed=seed, **k)

    yes("plain", lambda: n().sky().star(140.3, 3000).frame(), 140.3)
    yes("vertical", lambda: n().sky(lines=8).star(140.3, 3000).frame(vertical=True), 140.3, "y")
    yes(
        "vertical on a wide frame",
        lambda: (lambda s: s.sky(lines=8).star(500.0, 3000, spectrum=s.response).frame(vertical=True))(
            n(shape=(900, 400))
        ),
        500.0,
        "y",
    )
    yes(
        "along a side shorter than half the other",
        lambda: (lambda s: s.sky(lines=5).star(500.0, 3000, spectrum=s.response).frame())(n(shape=(1200, 400))),
        500.0,
    )
    yes(
        "along a much shorter side",
        lambda: (lambda s: s.sky(lines=3).star(500.0, 8000, spectrum=s.response).frame(vertical=True))(
            n(shape=(1500, 400))
        ),
        500.0,
        "y",
    )
    yes("steep", lambda: n().sky().star(150, 3000, slant=44).frame(), 150)
    yes("bent", lambda: n().sky().star(150, 3000, slant=10, bend=12).frame(), 150)
    yes("faint", lambda: n(shape=(300, 3000)).sky(30).star(150, 26, 4).frame(), 150, tol=3)
    yes("faint wide", lambda: n(shape=(300, 3000)).sky(30).star(150, 120, 30).frame(), 150, tol=8)
    yes(
        "faint uneven columns",
        lambda: n(shape=(300, 3000)).sky(30, lines=30).star(150, 40, 4).frame(banding),
        150,
        tol=3,
    )
    yes("sky lines brighter", lambda: n().sky(60, lines=25, strength=5000, slit=(20, 280)).star(120, 500).frame(), 120)
    yes("two amplifiers", lambda: n().sky(lines=5).star(120, 600).frame(amp_step), 120)
    yes("two amplifiers rows", lambda: n().sky(lines=5).star(100, 600).frame(amp_step_rows), 100)
    yes("overscan", lambda: n().sky(lines=5).star(120, 600).frame(overscan), 120)
    yes("overscan rows", lambda: n().sky(lines=5).star(120, 600).frame(overscan_rows), 120)
    yes("bad lines", lambda: n().sky(lines=5).star(120, 600).frame(bad_lines), 120)
    yes("absurd int", lambda: n().sky(lines=5).star(120, 600).frame(absurd([0, 65535])), 120)
    yes(
        "absurd float",
        lambda: (
            n().sky(lines=5).star(120, 600).frame(absurd([np.nan, np.inf, -np.inf, -32768, 1e20]), dtype=np.float32)
        ),
        120,
    )
    yes("near lower edge", lambda: n().sky().star(7, 3000).frame(), 7)
    yes("near upper edge", lambda: n().sky().star(291, 3000).frame(), 291)
    yes("second fainter", lambda: n().sky().star(100, 3000).star(180, 1000).frame(), 100)
    yes("second equal", lambda: n().sky().star(100, 3300).star(180, 3000).frame(), 100)
    yes("double image", lambda: n().sky().star(100, 3000).star(107, 1500).frame(), 102, tol=3)
    yes("trailed", lambda: n().sky().star(100, 3000, 14, kind="disc").frame(), 100, tol=4)
    for w in (1.5, 2.5, 10, 30, 60, 100):
        yes(
            f"width {w}",
            lambda w=w: n(shape=(500, 900)).sky().star(230, 4000 + 300 * w, w).frame(),
            230,
            tol=2 + 0.05 * w,
        )
    for w in (20, 45, 70, 100):
        yes(
            f"ring {w}",
            lambda w=w: n(shape=(500, 900)).sky().star(230, 2000 + 100 * w, w, kind="disc").frame(),
            230,
            tol=2 + 0.07 * w,
        )
        yes(
            f"ring {w} on a low frame",
            lambda w=w: n(shape=(260, 400)).sky().star(130, 2000 + 100 * w, w, kind="disc").frame(),
            130,
            tol=2 + 0.07 * w,
        )

    def em(s, c, lines, f, h=1.0):
        return s.sky(30).star(140, f, 4, spectrum=s.response * emission(s, c, lines, h))

    yes("nova: lines on a weak continuum", lambda: em(n(), 0.01, [0.2, 0.35, 0.5, 0.7, 0.8], 20000).frame(), 140)
    yes("H-alpha on a weak continuum", lambda: em(n(), 0.004, [0.5], 40000).frame(), 140)
    yes("planetary nebula: few lines, faint continuum", lambda: em(n(), 0.004, [0.3, 0.33, 0.62], 20000).frame(), 140)
    yes("saturated H-alpha", lambda: em(n(), 0.003, [0.5], 1e6).frame(), 140)

    def ms(s):
        return s.sky(30, lines=5).star(140, 1500, 4, spectrum=bands(s, 0.35))

    yes("M star", lambda: ms(n()).frame(), 140)

    def half(s, a, b):
        sp = 1 / (1 + np.exp(-(s.x / s.shape[1] - a) * 60)) / (1 + np.exp((s.x / s.shape[1] - b) * 60))
        return s.sky(30).star(140, 2500, 4, spectrum=sp)

    yes("short spectrum", lambda: half(n(), 0.25, 0.75).frame(), 140)
    yes("short spectrum on one side", lambda: half(n(), 0.4, 0.9).frame(), 140)
    yes(
        "red star, blue end empty",
        lambda: n().sky(30).star(140, 3000, 4, spectrum=np.clip(np.linspace(-1, 1, 900), 0, 1)).frame(),
        140,
    )
    yes("star on a bright slit of sky", lambda: n().sky(400, lines=6, slit=(90, 210)).star(150, 4000).frame(), 150)
    yes("star on twilight", lambda: n().sky(4000, slit=(60, 240)).star(130, 8000).frame(), 130)
    yes("saturated star", lambda: n().sky().star(140, 1e6).frame(), 140)
    yes("8 bit", lambda: replace_bias(n(), 10).sky(20).star(140, 600).frame(ceiling=255, dtype=np.uint8), 140)
    yes("cosmic rays", lambda: n().sky(lines=5).star(140, 600).cosmics(500).frame(), 140)
    yes("glow and hot pixels", lambda: n().sky().star(120, 1000).frame(glow), 120)
    # not stars
    no("all black", lambda: Frame(raw=np.zeros((300, 900), np.uint16)), "same value", "black")
    no("all saturated", lambda: Frame(raw=np.full((300, 900), 65535, np.uint16), saturation_adu=65535), "saturated")
    no("all saturated unknown", lambda: Frame(raw=np.full((300, 900), 65535, np.uint16)), "saturated")
    no("nearly all saturated", lambda: n().add(2e5).frame(ceiling=65535), "saturated")
    no("bias", lambda: n().frame(), "bias")
    no("bias with pattern", lambda: n().frame(banding), "bias")
    no("bias with pattern of rows", lambda: n().frame(banding2), "bias")
    no("dark", lambda: n().add(20).frame(glow), "dark")
    no("bias two amplifiers", lambda: n().frame(amp_step_rows), "bias")
    no("bias overscan", lambda: n().frame(overscan), "bias")
    no("bias bad lines", lambda: n().frame(bad_lines), "bias")
    for lv in (300, 15000, 60000):
        no(f"flat {lv}", lambda lv=lv: flat(n(), lv).frame(), "flat")
        no(f"flat slit {lv}", lambda lv=lv: flat(n(), lv, slit=(60, 240)).frame(), "flat")
    no("flat short slit", lambda: flat(n(), 15000, slit=(110, 190), tilt=0.1).frame(), "flat")
    no("flat very uneven", lambda: flat(n(), 15000, depth=0.1, tilt=0.5).frame(), "flat")
    no("flat very uneven slit", lambda: flat(n(), 15000, depth=0.1, tilt=0.5, slit=(60, 240)).frame(), "flat")
    no("flat vignetted", lambda: flat(n(), 15000).frame(vignette), "flat")
    no("flat vignetted square", lambda: flat(n(shape=(600, 800)), 15000).frame(vignette), "flat")
    no("twilight", lambda: n().sky(3000, slit=(70, 230)).frame(), "flat")
    no("twilight with lines", lambda: n().sky(3000, lines=4, strength=900, slit=(70, 230)).frame(), "sky alone")
    no("sky alone", lambda: n().sky(60, lines=12, strength=2000, slit=(20, 280)).frame(), "")
    for k in (1, 2, 3, 8, 30):
        no(f"arc {k}", lambda k=k: n().lines(np.linspace(0.13, 0.83, k) + 0.01, tilt=2).frame(), "arc")
        no(f"arc {k} slit", lambda k=k: n().lines(np.linspace(0.13, 0.83, k) + 0.01, slit=(40, 260)).frame(), "arc")
    no("arc weak", lambda: n().lines(np.linspace(0.13, 0.83, 5), strength=30, slit=(40, 260)).frame(), "arc")
    no("arc saturated", lambda: n().lines(np.linspace(0.13, 0.83, 12), strength=5e5, slit=(40, 260)).frame(), "arc")
    no("arc square", lambda: n(shape=(700, 800)).lines(np.linspace(0.13, 0.83, 12)).frame(), "arc")
    no("arc square 1", lambda: n(shape=(700, 800)).lines([0.4]).frame(), "")
    no("arc square 2", lambda: n(shape=(700, 800)).lines([0.4, 0.6]).frame(), "")
    no("echelle star", lambda: echelle(n(shape=(700, 900))).frame(), "echelle")
    no("echelle star few orders", lambda: echelle(n(shape=(500, 900)), orders=8).frame(), "echelle")
    no("echelle lamp", lambda: echelle(n(shape=(700, 900)), lamp=True).frame(), "")
    no("echelle flat", lambda: echelle(n(shape=(700, 900)), flat_=True).frame(), "echelle", "flat")
    for k in (1, 5, 40, 300):
        no(f"stars {k}", lambda k=k: n(shape=(600, 800)).sky().points(k).frame(), "star")
    no("stars out of focus", lambda: n(shape=(600, 800)).sky().points(3, 3e5, 40).frame(), "star")
    return cases
