"""An arc frame: its emission lines, and how wide they are all over the field."""
