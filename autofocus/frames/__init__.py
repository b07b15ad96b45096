"""FITS files, their folders and their names."""
