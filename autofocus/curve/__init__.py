"""From (position, metric, error) to the best focus."""
