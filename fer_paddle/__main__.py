"""`python -m fer_paddle`."""

import sys

from fer_paddle.starting import answer_signals, open_streams

answer_signals()
open_streams()

from fer_paddle.apps.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
