"""Sphinx settings: everything is built from this repository, nothing is fetched."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

import popdyn

ROOT = Path(__file__).parents[1]

project = "popdyn"
author = "the popdyn developers"
project_copyright = "the popdyn developers"
version = release = popdyn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.py", "gallery/*.ipynb"]
default_role = "py:obj"
nitpicky = False
suppress_warnings = ["config.cache"]

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "alabaster"
html_title = f"popdyn {release}"
html_theme_options = {"description": "recurrent networks beside neural recordings"}
html_static_path = ["_static"]
html_copy_source = False


class ScrapeFigures:
    """Show every matplotlib figure that a block of an example made or bound to a name.

    popdyn never touches pyplot, so the gallery's own scraper would find nothing.
    """

    def __init__(self) -> None:
        self.shown: set[int] = set()
        self.kept: list[Figure] = []  # alive, so that an id is never given twice

    def __repr__(self) -> str:
        return "figures bound to a name"

    def __call__(self, _block, block_vars, gallery_conf):
        """Save the block's new figures where the gallery expects them."""
        paths = []
        for value in list(block_vars["example_globals"].values()):
            figure = value.figure if isinstance(value, Axes) else value
            if not isinstance(figure, Figure) or id(figure) in self.shown:
                continue
            self.shown.add(id(figure))
            self.kept.append(figure)
            path = next(block_vars["image_path_iterator"])
            figure.savefig(path, dpi=120, bbox_inches="tight")
            paths.append(path)
        return figure_rst(paths, gallery_conf["src_dir"])


sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "image_scrapers": (ScrapeFigures(),),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"matplotlib\.(axes|figure|text|collections|lines)",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e6,
    "write_computation_times": False,
}
