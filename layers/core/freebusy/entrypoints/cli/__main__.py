"""``python -m freebusy.entrypoints.cli``, where the script ``freebusy`` is not installed."""

import sys

from freebusy.entrypoints.cli import main

sys.exit(main())
