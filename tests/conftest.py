"""Before any test module loads numpy: small matrices are quickest on one thread, the more so on a busy machine."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
