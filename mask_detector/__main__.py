"""`python -m mask_detector VERB`: every job of the package from the command line."""

import sys

from mask_detector.cli import main

if __name__ == "__main__":
    sys.exit(main())
