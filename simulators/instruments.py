"""The instruments of the bench by name: telescope, slit, spectrograph, camera and focuser, one documented set each.

``starex`` is fitted to the nine positions of HD 97633 (``HD097633_starex.csv``); the others are plausible set-ups
built from the published dimensions of each spectrograph, with a telescope that is often used with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from autofocus.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A telescope with a slit spectrograph, its camera and its focuser."""

    name: str
    description: str
    # telescope
    focal_length_mm: float
    f_ratio: float
    obstruction: float = 0.0
    """diameter of the secondary mirror in parts of the aperture"""
    # sky
    seeing_arcsec: float = 3.0
    """full width at half maximum of a long exposure at the slit, guiding included"""
    moffat_beta: float = 3.5
    # focus: positions of the focuser at which each direction is sharp
    focus_steps: float
    """sharpest across the slit, in the middle of the spectrum: where most light passes"""
    astigmatism_steps: float = 0.0
    """telescope focus across the slit minus along it: before the slit"""
    collimator_offset_steps: float = 0.0
    """how far the plane that the collimator sees along the slit lies beside the slit: after it, costs no light"""
    chromatic_steps: float = 0.0
    """focus at the right end of the spectrum minus the left end: before the slit"""
    tilt_steps: float = 0.0
    """the same for the camera behind the slit: changes the width alone"""
    microns_per_step: float
    # slit and spectrograph
    slit_um: float
    slit_length_px: float
    slit_um_per_px: float
    """microns along the slit that one pixel sees"""
    blur_px: float
    """full width at half maximum of the spectrograph's own blur, along the slit"""
    line_px: float = 4.0
    """full width at half maximum of a spectral line, along the dispersion"""
    decentre_px: float = 0.0
    """mean distance of the star from the middle of the slit"""
    wavelengths_nm: tuple[float, float]
    slant_px: float = 0.0
    """rise of the trace over the sensor's width"""
    curvature_px: float = 0.0
    """how far both ends of the trace lie above its middle"""
    smile_px: float = 0.0
    """how far a sky line at the ends of the slit lies beside its middle"""
    trace_row: float = 0.5
    """where the trace crosses the sensor, in parts of its height"""
    # light
    star_adu_s: float
    """ADU/s per column of the whole star, no slit, in the central columns"""
    sky_e_s: float = 0.05
    """sky continuum, electrons per pixel and second"""
    sky_line_e_s: float = 0.5
    """the strongest sky line, electrons per pixel and second"""
    field_stars: int = 0
    """stars on a camera without a slit; 0: the spectrum of one star behind it"""
    # camera
    sensor_px: tuple[int, int]
    pixel_um: float
    gain_e_per_adu: float = 0.8
    read_noise_e: float = 3.0
    dark_e_s: float = 0.02
    bias_adu: float = 500.0
    saturation_adu: int = 65535
    # focuser
    max_step: int = 20000
    steps_per_s: float = 120.0
    temperature_steps_per_c: float = 3.0
    """how far best focus moves outward when it gets one degree warmer"""

    @property
    def plate_scale_arcsec_per_px(self) -> float:
        """Arcseconds on the sky along the slit that one pixel sees."""
        return self.slit_um_per_px / (self.focal_length_mm * 1000.0) * 206264.8

    @property
    def blur_radius_px_per_step(self) -> float:
        """Radius of the defocus disc, in pixels along the slit, for one step."""
        return self.microns_per_step / (2.0 * self.f_ratio * self.slit_um_per_px)

    @property
    def slit_px(self) -> float:
        """Width of the slit on the scale of the pixels along it."""
        return self.slit_um / self.slit_um_per_px


STAREX = Instrument(
    name="starex",
    description="Star'Ex 2400 l/mm at H-alpha on a 102 mm f/7 refractor; collimator not quite focused (HD 97633)",
    focal_length_mm=712.0,
    f_ratio=7.0,
    seeing_arcsec=3.33,
    focus_steps=9377.0,
    collimator_offset_steps=-28.4,
    microns_per_step=3.2,
    slit_um=15.4,
    slit_length_px=700.0,
    slit_um_per_px=3.072,
    blur_px=1.75,
    wavelengths_nm=(651.0, 668.0),
    slant_px=1.6,
    curvature_px=0.5,
    smile_px=4.0,
    trace_row=0.52,
    star_adu_s=666.0,
    sensor_px=(1936, 1096),
    pixel_um=4.8,
)

UVEX = Instrument(
    name="uvex",
    description="UVEX 300 l/mm on a 200 mm f/5 Newtonian: astigmatic by design, wide spectral range, no lens",
    focal_length_mm=1000.0,
    f_ratio=5.0,
    obstruction=0.3,
    seeing_arcsec=3.0,
    focus_steps=5210.0,
    collimator_offset_steps=45.0,
    tilt_steps=60.0,
    microns_per_step=2.5,
    slit_um=23.0,
    slit_length_px=420.0,
    slit_um_per_px=3.76,
    blur_px=2.2,
    wavelengths_nm=(350.0, 760.0),
    slant_px=-6.0,
    curvature_px=1.5,
    trace_row=0.45,
    star_adu_s=900.0,
    sensor_px=(1600, 800),
    pixel_um=3.76,
    max_step=12000,
)

ALPY600 = Instrument(
    name="alpy600",
    description="Alpy 600 on a 200 mm f/6.3 Schmidt-Cassegrain with reducer: chromatic, low resolution, moving mirror",
    focal_length_mm=1280.0,
    f_ratio=6.3,
    obstruction=0.36,
    seeing_arcsec=3.2,
    focus_steps=13480.0,
    collimator_offset_steps=10.0,
    chromatic_steps=30.0,
    tilt_steps=-20.0,
    microns_per_step=4.0,
    slit_um=23.0,
    slit_length_px=330.0,
    slit_um_per_px=4.5,
    blur_px=2.6,
    wavelengths_nm=(370.0, 740.0),
    slant_px=3.0,
    curvature_px=-2.0,
    trace_row=0.5,
    star_adu_s=1400.0,
    sky_e_s=0.3,
    sensor_px=(1392, 1040),
    pixel_um=4.54,
    gain_e_per_adu=0.27,
    read_noise_e=4.5,
    max_step=30000,
    steps_per_s=200.0,
)

LHIRES = Instrument(
    name="lhires",
    description="Lhires III 2400 l/mm on a 280 mm f/10 Schmidt-Cassegrain: long focus, big star on the slit",
    focal_length_mm=2800.0,
    f_ratio=10.0,
    obstruction=0.34,
    seeing_arcsec=3.0,
    focus_steps=7105.0,
    collimator_offset_steps=-15.0,
    microns_per_step=6.0,
    slit_um=30.0,
    slit_length_px=500.0,
    slit_um_per_px=6.0,
    blur_px=1.8,
    wavelengths_nm=(648.0, 664.0),
    slant_px=9.0,
    curvature_px=1.0,
    smile_px=10.0,
    trace_row=0.42,
    star_adu_s=700.0,
    sensor_px=(1676, 1266),
    pixel_um=6.0,
    gain_e_per_adu=0.4,
    read_noise_e=5.0,
    max_step=15000,
)

LONGSLIT = Instrument(
    name="longslit",
    description="an observatory's long-slit spectrograph on a 1 m f/8 telescope: wide slit, fine scale, slanted trace",
    focal_length_mm=8000.0,
    f_ratio=8.0,
    obstruction=0.4,
    seeing_arcsec=1.6,
    focus_steps=2450.0,
    astigmatism_steps=12.0,
    collimator_offset_steps=6.0,
    microns_per_step=10.0,
    slit_um=90.0,
    slit_length_px=720.0,
    slit_um_per_px=13.5,
    blur_px=1.9,
    wavelengths_nm=(400.0, 700.0),
    slant_px=-7.5,
    curvature_px=2.0,
    trace_row=0.55,
    star_adu_s=800.0,
    sky_e_s=0.4,
    sky_line_e_s=6.0,
    sensor_px=(1024, 800),
    pixel_um=13.5,
    gain_e_per_adu=1.4,
    read_noise_e=4.0,
    max_step=6000,
    steps_per_s=60.0,
)

GUIDECAM = Instrument(
    name="guidecam",
    description="a camera without a slit on an 80 mm f/7.5 refractor: forty stars",
    focal_length_mm=600.0,
    f_ratio=7.5,
    seeing_arcsec=3.2,
    focus_steps=5210.0,
    microns_per_step=4.0,
    slit_um=1e4,
    slit_length_px=960.0,
    slit_um_per_px=3.75,
    blur_px=0.0,
    wavelengths_nm=(400.0, 700.0),
    star_adu_s=40000.0,
    sky_e_s=2.0,
    field_stars=40,
    sensor_px=(960, 720),
    pixel_um=3.75,
    max_step=10000,
)

INSTRUMENTS = {each.name: each for each in (STAREX, UVEX, ALPY600, LHIRES, LONGSLIT)}
FIELDS = {GUIDECAM.name: GUIDECAM}
"""those without a slit, which show stars"""


def instrument(name: str) -> Instrument:
    """The instrument of that name; SettingsError names the known ones."""
    try:
        return (INSTRUMENTS | FIELDS)[name]
    except KeyError:
        known = ", ".join(INSTRUMENTS | FIELDS)
        raise SettingsError(f"no instrument is called {name!r}; the bench knows {known}") from None
