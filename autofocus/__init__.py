"""Autofocus for slit spectrographs: two numbers from each spectrum, two curves, one decision."""

__version__ = "0.1.0"
