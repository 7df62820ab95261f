"""`python -m fer_paddle`."""

import sys

from fer_paddle.apps.cli import main

sys.exit(main())
