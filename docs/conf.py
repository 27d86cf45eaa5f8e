"""How Sphinx builds these pages: `sphinx-build -W -b html docs build/docs`."""

from __future__ import annotations

import sys
from pathlib import Path

import requests

import g4fsdk
from g4fsdk._client.blocking import client

project = "g4fsdk"
author = "The g4fsdk developers"
copyright = author  # Sphinx's name
release = version = g4fsdk.__version__

sys.path.insert(0, str(Path(__file__).parent))

vars(client)["requests"] = requests  # only type checkers import it there

extensions = ["pages", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["examples"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
smartquotes = False  # of options they would make dashes
default_role = "code"  # docstrings write `name`
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"g4fsdk {release}"
html_static_path = ["_static"]
html_show_sourcelink = False
html_copy_source = False
