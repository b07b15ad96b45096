"""Pixels to numbers: trace, background, profile, width, signal."""
