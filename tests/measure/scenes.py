"""Frames as observers and detectors make them, drawn without any of the code under test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autofocus.model import Frame


@dataclass
class Scene:
    """Expected electrons of a frame, to which light is added before it is read out."""

    shape: tuple[int, int] = (300, 900)
    seed: int = 1
    light: Any = None
    rng: Any = None
    read_noise: float = 4.0
    gain: float = 1.5
    bias: float = 300.0

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.light = np.zeros(self.shape)
        self.rows = np.arange(self.shape[0])[:, None].astype(float)
        self.x = np.arange(self.shape[1]).astype(float)
        self.u = 2 * self.x / (self.shape[1] - 1) - 1

    def add(self, light):
        self.light = self.light + light
        return self

    def star(self, row, flux, width=4.0, slant=0.0, bend=0.0, spectrum=1.0, kind="moffat"):
        """A trace of ``flux`` electrons per column."""
        d = self.rows - (row + 0.5 * slant * self.u + bend * self.u**2)
        s = width / 2.3548
        if kind == "gauss":
            p = np.exp(-0.5 * (d / s) ** 2) / (s * np.sqrt(2 * np.pi))
        elif kind == "disc":  # a ring cut by a slit: flat, with a hole, blurred over 4 px

            def soft(e):
                return 0.5 * (1 + np.tanh((e - np.abs(d)) / 2.0))

            p = soft(width / 2) - 0.9 * soft(0.17 * width)
            p = p / (width * 0.7)
        elif kind == "trail":  # a star that wandered along the slit: a box, blurred over 4 px
            p = 0.5 * (1 + np.tanh((width / 2 - np.abs(d)) / 2.0)) / width
        else:
            a = width / 2 / np.sqrt(2 ** (1 / 3) - 1)
            p = (1 + (d / a) ** 2) ** -3.0 / (a * 1.178)
        return self.add(flux * np.asarray(spectrum) * p)

    @property
    def response(self):
        return np.exp(-1.5 * (self.u - 0.3) ** 2)

    def sky(self, level=40.0, lines=0, strength=600.0, slit=None, edge=1.0):
        """Continuum and lines of the sky, as long as the slit (first row, last row)."""
        spectrum = np.full(self.shape[1], float(level))
        for place in self.rng.uniform(0.02, 0.98, lines) * self.shape[1]:
            spectrum += strength * self.rng.uniform(0.2, 1) * np.exp(-0.5 * ((self.x - place) / 1.6) ** 2)
        mask = np.ones_like(self.rows)
        if slit is not None:
            mask = 0.25 * (1 + np.tanh((self.rows - slit[0]) / edge)) * (1 + np.tanh((slit[1] - self.rows) / edge))
        return self.add(mask * spectrum)

    def lines(self, places, strength=5000.0, slit=None, width=3.0, tilt=0.0):
        """Lines of a lamp across the dispersion."""
        mask = np.ones_like(self.rows)
        if slit is not None:
            mask = 0.25 * (1 + np.tanh(self.rows - slit[0])) * (1 + np.tanh(slit[1] - self.rows))
        for k, place in enumerate(places):
            d = self.x[None, :] - place * self.shape[1] - tilt * (self.rows / self.shape[0] - 0.5)
            self.add(mask * strength * (0.3 + 0.7 * ((k * 7) % 10) / 10) * np.exp(-0.5 * (d / (width / 2.35)) ** 2))
        return self

    def points(self, count, flux=20000.0, width=4.0):
        s = width / 2.35
        for _ in range(count):
            r, c = self.rng.uniform(0, self.shape[0]), self.rng.uniform(0, self.shape[1])
            f = flux * self.rng.exponential()
            a = np.exp(-0.5 * ((self.rows - r) / s) ** 2) * np.exp(-0.5 * ((self.x - c) / s) ** 2)
            self.add(f * a / (2 * np.pi * s * s))
        return self

    def cosmics(self, count=150):
        for _ in range(count):
            r, c = self.rng.integers(0, self.shape[0]), self.rng.integers(0, self.shape[1] - 6)
            self.light[r, c : c + self.rng.integers(1, 6)] += self.rng.uniform(200, 5000)
        return self

    def frame(self, after=None, ceiling=65535, dtype=np.uint16, vertical=False, **facts):
        adu = self.rng.poisson(np.clip(self.light, 0, 1e7)) / self.gain
        adu = adu + self.rng.normal(self.bias, self.read_noise / self.gain, self.shape)
        if after is not None:
            adu = after(self, adu)
        raw = np.clip(np.rint(adu), 0, ceiling).astype(dtype) if np.issubdtype(dtype, np.integer) else adu.astype(dtype)
        facts.setdefault("exposure_s", 10.0)
        return Frame(raw=np.ascontiguousarray(raw.T) if vertical else raw, **facts)


def bands(scene, missing=0.3):
    """An M star: molecular bands leave nothing of the continuum over a part of the length."""
    s = np.ones(scene.shape[1])
    n = scene.shape[1]
    for a in np.linspace(0.1, 0.9, 6):
        s[int(a * n - missing * n / 12) : int(a * n + missing * n / 12)] = 0.0
    return s


def emission(scene, continuum, lines, height=1.0, width=6.0):
    s = np.full(scene.shape[1], float(continuum))
    for p in lines:
        s = s + height * np.exp(-0.5 * ((scene.x - p * scene.shape[1]) / (width / 2.35)) ** 2)
    return s


def amp_step(scene, adu):
    adu = adu.copy()
    adu[:, scene.shape[1] // 2 :] = 1.04 * adu[:, scene.shape[1] // 2 :] + 60
    return adu


def amp_step_rows(scene, adu):
    adu = adu.copy()
    adu[scene.shape[0] // 2 :] += 30
    return adu


def overscan(scene, adu):
    adu = adu.copy()
    n = scene.shape[1]
    adu[:, -n // 12 :] = scene.rng.normal(scene.bias, 2.0, adu[:, -n // 12 :].shape)
    return adu


def overscan_rows(scene, adu):
    adu = adu.copy()
    adu[-20:] = scene.rng.normal(scene.bias - 10, 2.0, adu[-20:].shape)
    adu[:6] = 0
    return adu


def bad_lines(scene, adu):
    adu = adu.copy()
    r, c = adu.shape
    adu[:, [c // 5, c // 2, c // 2 + 1]] = 65535
    adu[:, c // 3] = 0
    adu[[r // 5, r // 4]] = 20000
    adu[3 * r // 4] = 0
    return adu


def absurd(values):
    def after(scene, adu):
        adu = adu.copy()
        k = 60
        adu[scene.rng.integers(0, adu.shape[0], k), scene.rng.integers(0, adu.shape[1], k)] = scene.rng.choice(
            values, k
        )
        return adu

    return after


def glow(scene, adu):
    d2 = (scene.rows - scene.shape[0]) ** 2 + (scene.x - scene.shape[1]) ** 2
    adu = adu + 800 * np.exp(-np.sqrt(d2) / 60.0)
    hot = 2e-3 * adu.size
    at = scene.rng.integers(0, adu.shape[0], int(hot)), scene.rng.integers(0, adu.shape[1], int(hot))
    adu[at] += scene.rng.exponential(1500, int(hot))
    return adu


def banding(scene, adu):
    """Fixed pattern: column offsets, row noise that wanders."""
    adu = adu + scene.rng.normal(0, 1.5, (1, adu.shape[1])) + scene.rng.normal(0, 0.4, (adu.shape[0], 1))
    return adu + 1.0 * np.sin(scene.rows / 7.0)


def banding2(scene, adu):
    return adu + scene.rng.normal(0, 1.5, (1, adu.shape[1])) + scene.rng.normal(0, 1.2, (adu.shape[0], 1))


def vignette(scene, adu):
    r = scene.rows / scene.shape[0] - 0.5
    return scene.bias + (adu - scene.bias) * (1 - 1.2 * r**2 - 0.3 * scene.u[None, :] ** 2)


def uneven_slit(scene, depth=0.03, dips=7):
    p = np.ones((scene.shape[0], 1))
    for _ in range(dips):
        p -= (
            depth
            * scene.rng.uniform(0.3, 1)
            * np.exp(-0.5 * ((scene.rows - scene.rng.uniform(0, scene.shape[0])) / scene.rng.uniform(1.0, 3)) ** 2)
        )
    return p


def flat(s, level=15000, slit=None, depth=0.03, tilt=0.1, edge=1.0):
    light = level * uneven_slit(s, depth) * (1 + tilt * s.rows / s.shape[0]) * (0.4 + 0.6 * np.exp(-(s.u**2)))
    if slit:
        light = light * 0.25 * (1 + np.tanh((s.rows - slit[0]) / edge)) * (1 + np.tanh((slit[1] - s.rows) / edge))
    return s.add(light)


def echelle(s, orders=14, lamp=False, flat_=False, flux=2000, width=4.0, height=18):
    for k in range(orders):
        row = 20 + (s.shape[0] - 40) * (k + 0.5) / orders
        blaze = np.exp(-1.2 * s.u**2)
        if lamp:
            sp = np.zeros(s.shape[1])
            for p in s.rng.uniform(0, 1, 12):
                sp += s.rng.exponential() * 20 * np.exp(-0.5 * ((s.x - p * s.shape[1]) / 1.3) ** 2)
            s.star(row, flux, 6.0, slant=12, bend=8, spectrum=sp, kind="gauss")
        elif flat_:
            d = s.rows - (row + 6 * s.u + 8 * s.u**2)
            s.add(flux * blaze * 0.5 * (np.tanh(d + height / 2) - np.tanh(d - height / 2)) / 2 / 4)
        else:
            s.star(row, flux, width, slant=12, bend=8, spectrum=blaze)
    return s


def replace_bias(s, b):
    s.bias = b
    return s


def bayer(scene, adu):
    """A colour filter before every pixel: red and blue see less of this light than green."""
    filters = np.array([[0.45, 1.0], [1.0, 0.6]])
    rows, columns = adu.shape
    passed = np.tile(filters, (rows // 2 + 1, columns // 2 + 1))[:rows, :columns]
    return scene.bias + (adu - scene.bias) * passed


def bias_gradient(scene, adu):
    """A pedestal that slopes and sags by a few ADU, as of a warm amplifier."""
    across = scene.rows / scene.shape[0] - 0.5
    return adu + 4.0 * across + 3.0 * np.cos(5.0 * across) + 2.0 * scene.u**2


def hot_columns(scene, adu):
    adu = adu.copy()
    places = scene.rng.integers(5, adu.shape[1] - 5, 6)
    adu[:, places] += scene.rng.uniform(50, 400, 6)
    return adu


def dust(scene, adu):
    """Grains on the slit: shadows along the dispersion, two to five pixels wide and a few percent deep."""
    shadow = np.ones((scene.shape[0], 1))
    for _ in range(6):
        place, width = scene.rng.uniform(0, scene.shape[0]), scene.rng.uniform(0.9, 2.2)
        shadow -= scene.rng.uniform(0.01, 0.06) * np.exp(-0.5 * ((scene.rows - place) / width) ** 2)
    return scene.bias + (adu - scene.bias) * shadow


def moonlight(scene, adu):
    """A sky that is brighter on one side of the slit."""
    return scene.bias + (adu - scene.bias) * (1.0 + 0.15 * (scene.rows / scene.shape[0] - 0.5))


def spikes(scene, adu):
    """A bright star with the four spikes of a telescope's vanes, fading outward."""
    rows, columns = adu.shape
    row, column = 0.45 * rows, 0.55 * columns
    down, along = np.abs(scene.rows - row), np.abs(scene.x - column)
    light = 1500.0 / (1.0 + along / 20.0) * np.exp(-0.5 * (down / 1.5) ** 2)
    light = light + 1500.0 / (1.0 + down / 20.0) * np.exp(-0.5 * (along / 1.5) ** 2)
    return adu + light + 60000.0 * np.exp(-0.5 * (down**2 + along**2) / 6.0**2)
