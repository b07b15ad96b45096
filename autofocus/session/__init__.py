"""One run from its first event to its last, on whatever devices `ports` names."""
