"""Before any test module loads numpy: small matrices are quickest on one thread, the more so on a busy machine."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

# On a busy machine any example may take long: what is tested is never its time. Fixtures here hold no state to spoil.
settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("untimed")
