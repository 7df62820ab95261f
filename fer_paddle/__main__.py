"""`python -m fer_paddle`."""

import signal
import sys

signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # until console.run takes over: no traceback of an import

from fer_paddle.apps.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
