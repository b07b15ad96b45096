"""A star's spectrum: find its trace, average its columns, fit the profile, and say why where there is none."""
