"""Sphinx configuration; build with `tools/in-venv tools/build-docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import reference_pages
from sphinx import application

project = "rally-magnum-scale"
author = "the rally-magnum-scale developers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generated", "_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Check links to sections of pages, too.
nitpicky = True
html_theme = "furo"
html_title = project
# Leave out what tells a reader nothing.
html_show_sphinx = html_show_copyright = False
html_copy_source = False


def setup(app: application.Sphinx) -> None:
    """Generate the reference before Sphinx reads it."""
    app.connect(
        "builder-inited",
        lambda app: reference_pages.write(Path(app.srcdir) / "generated"),
    )
