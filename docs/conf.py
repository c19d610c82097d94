"""The documentation as a site: `make docs` builds it into build/docs. Needs no network once the extra is installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hourwheel

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]

project = "Hourwheel"
author = "The Hourwheel authors"
version = release = hourwheel.__version__
copyright = f"2026, {author}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_static"]

TOP = {"CHANGELOG.md": "project/changes", "CONTRIBUTING.md": "project/contributing"}
"""Files at the top of the repository, and the pages that show them."""

# ---- pages ------------------------------------------------------------------------------------------------

myst_heading_anchors = 4  # the anchors that the pages use among themselves are those of the usual renderers
highlight_language = "python"

# ---- the API, from its docstrings -------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# ---- what the copy buttons copy: of a session, what was typed ---------------------------------------------

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# ---- how it looks -----------------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"Hourwheel {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = None


UP = re.compile(r"\[([^]]+)\]\((?:\.\./)+([\w./-]+)\)")
"""A link that leads out of docs/. Sphinx takes a copy of a file along; of a directory only the name can be shown."""


def name_directories(link: re.Match[str]) -> str:
    """The name of a directory in the place of a link to it."""
    return f"{link[1]} (`{link[2]}/`)" if (ROOT / link[2]).is_dir() else link[0]


def show_files_of_the_top(app: Sphinx, page: str, source: list[str]) -> None:
    """Put a file of the top of the repository in the place of its page, and let links to it lead there."""
    up = "../" * page.count("/")
    for name, shows in TOP.items():
        if page == shows:
            app.env.note_dependency(str(ROOT / name), docname=page)
            source[0] = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", f"]({up}")
    for name, shows in TOP.items():
        source[0] = re.sub(rf"\]\((?:\.\./)*{re.escape(name)}", f"]({up}{shows}.md", source[0])
    source[0] = UP.sub(name_directories, source[0])


def keep_colons(_app: Sphinx, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Napoleon takes what stands before a colon in the first line of an attribute for its type; here it is prose.

    So the first line is an empty comment.
    """
    if what in ("attribute", "property", "data"):
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("source-read", show_files_of_the_top)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
