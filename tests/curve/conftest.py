from __future__ import annotations

import sys
from pathlib import Path

# physics.py is the tests' own optics, imported by name from beside them
sys.path.insert(0, str(Path(__file__).parent))
