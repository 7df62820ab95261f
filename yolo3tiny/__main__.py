"""`python -m yolo3tiny`."""

import signal
import sys

signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # until console.run takes over: no traceback of an import

from yolo3tiny.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
