"""Sphinx settings: everything is built from this repository, nothing is fetched."""

import sys
from pathlib import Path

import popdyn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))  # for gallery_figures and mathml

project = "popdyn"
author = "the popdyn developers"
project_copyright = "the popdyn developers"
version = release = popdyn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "mathml",
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
html_theme_options = {
    "description": "recurrent networks beside neural recordings",
    "page_width": "1140px",
    "body_max_width": "900px",
}
html_static_path = ["_static"]
html_copy_source = False


sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "image_scrapers": ("gallery_figures",),
    "reset_modules": ("gallery_figures.refuse_warnings",),
    "reset_modules_order": "both",
    "parallel": 2,
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"matplotlib\.(axes|figure|text|collections|lines)",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e6,
    "write_computation_times": False,
}
