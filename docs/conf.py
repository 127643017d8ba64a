"""The configuration of Sphinx. Build with ``sphinx-build -W --keep-going docs build/docs``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import secateur

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "secateur"
author = "The secateur developers"
project_copyright = author
version = release = secateur.__version__

extensions = [
    "c_header",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
templates_path = ["_templates"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

# Every reference must resolve, except to what other projects document.
nitpicky = True
nitpick_ignore_regex = [
    ("c:identifier", r"u?int\d+_t|size_t"),
    ("py:.*", r"numpy\..*|contextvars|asyncio\..*"),
]


autosummary_generate = True
autodoc_typehints = "none"  # the sections of the docstrings describe the types
numpydoc_show_class_members = False  # the template of classes lists them
# Parameters are documented, in the order of the signature; results are described.
numpydoc_validation_checks = {
    *("PR01", "PR02", "PR03", "PR06", "PR10"),
    *("RT01", "RT03", "GL05", "GL06", "GL07", "GL10"),
}
numpydoc_validation_exclude = {  # named tuples and dataclasses describe their fields instead
    r"^secateur\.(Bracket|ErrorStats|TopK)",
    r"^secateur\.bench\.[A-Z]",
}
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = f"secateur {version}"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}


def link_to_page(_app: Sphinx, _docname: str, content: list[str]) -> None:
    """Let links to CONTRIBUTING.md of the repository lead to the page that includes it."""
    content[0] = content[0].replace("](../CONTRIBUTING.md)", "](contributing.md)")


def skip_field(
    _app: Sphinx, _what: str, _name: str, member: object, _skip: bool, _options: object
) -> bool | None:
    """Leave out the fields of named tuples, which the docstring of the class describes."""
    return True if (member.__doc__ or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> None:
    app.connect("source-read", link_to_page)
    app.connect("autodoc-skip-member", skip_field)
