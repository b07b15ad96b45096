"""The page: one listener more on the stream of events, served to browsers on this machine and, with a token, beyond."""
