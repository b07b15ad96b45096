"""Pixels to numbers: `spectrum` for the star's spectrum behind a slit; every mode gives a `reading`."""
