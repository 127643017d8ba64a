"""Give PYTHONPATH precedence over an editable install, which has its own import finder."""

import sys
from importlib.machinery import PathFinder

sys.meta_path.insert(0, PathFinder)
