"""A spectrograph on a bench: optics, mechanics and sky, served over Alpaca or used in process."""
