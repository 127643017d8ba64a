"""``python -m secateur.cli``: the same as the command ``secateur``."""

import sys

from secateur.cli import main

if __name__ == "__main__":
    sys.exit(main())
