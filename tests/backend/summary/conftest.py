"""Lets these tests use the pilots that were measured on paper."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "roi"))
