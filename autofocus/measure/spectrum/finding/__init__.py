"""Where the trace runs, and why there is none."""
