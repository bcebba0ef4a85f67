"""`python -m napari_cellinr`: the command line, where its script is not on the search path."""

import sys

from napari_cellinr.cli import main

sys.exit(main())
