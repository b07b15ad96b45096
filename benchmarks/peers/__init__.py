"""Other programs' focus methods, written fresh from their published behaviour; what they need of a night is `Peer`."""
