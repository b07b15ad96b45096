"""A field of stars to half-flux radius, width and flux."""
