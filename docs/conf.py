# SPDX-License-Identifier: Apache-2.0
"""The site: `make docs`. MyST pages, and a reference that is made of the installed package."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from shmcov import __version__

project = "shmcov"
copyright = "the authors of shmcov"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "made_of_code"]
exclude_patterns = ["extensions"]
html_theme = "furo"
html_title = f"shmcov {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False

default_role = "code"
nitpicky = True
nitpick_ignore = [  # types that have no page here
    ("py:class", name)
    for name in (
        "Client",
        "Combined",
        "Fate",
        "Options",
        "PathAliases",
        "Progress",
        "collections.abc.Iterator",
        "distributed.client.Client",
    )
]
# Options begin with two hyphens.
smartquotes = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"

myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

# What is copied is what is typed: no prompt, no output.
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"

linkcheck_anchors = False
