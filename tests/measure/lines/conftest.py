from __future__ import annotations

import sys
from pathlib import Path

# arcs.py draws the tests' own arcs, imported by name from beside them
sys.path.insert(0, str(Path(__file__).parent))
