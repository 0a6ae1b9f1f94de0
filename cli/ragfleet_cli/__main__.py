"""``python -m ragfleet_cli``."""

import sys

from ragfleet_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
