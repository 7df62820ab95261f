"""`python -m fer_paddle`."""

import sys

from fer_paddle.cli import main

sys.exit(main())
