"""`python -m yolo3tiny`."""

import sys

from yolo3tiny.cli import main

sys.exit(main())
