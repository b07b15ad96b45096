"""Accuracy and speed, one command each."""

import os

# before numpy: small matrices are quickest on one thread, and the nights run in processes of their own
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
