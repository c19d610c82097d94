"""``python -m noria.wheel.cli``."""

import sys

from .program import main

sys.exit(main())
