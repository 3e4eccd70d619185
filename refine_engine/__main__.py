"""``python -m refine_engine`` is ``smpl-refiner``."""

from __future__ import annotations

import sys

from refine_engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
