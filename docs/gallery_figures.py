"""Show in the gallery every matplotlib figure that a block of an example binds to a name.

popdyn never touches pyplot, so the gallery's own scraper would find nothing.  A warning in an
example fails the build.
"""

import warnings

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

# The figures themselves, not their ids: an id may be given again once its figure is gone.
_shown: list[Figure] = []


def _figures(values):
    for value in values:
        figure = value.figure if isinstance(value, Axes) else value
        if isinstance(figure, Figure):
            yield figure


def scrape(_block, block_vars, gallery_conf):
    """Save the block's new figures where the gallery expects them."""
    paths = []
    for figure in _figures(list(block_vars["example_globals"].values())):
        if any(figure is other for other in _shown):
            continue
        _shown.append(figure)
        path = next(block_vars["image_path_iterator"])
        figure.savefig(path, dpi=120, bbox_inches="tight")
        paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"])


def _get_sg_image_scraper():
    return scrape


_usual = list(warnings.filters)


def refuse_warnings(_gallery_conf, _fname, when):
    """Turn warnings into errors while an example runs."""
    if when == "before":
        _usual[:] = warnings.filters
        warnings.simplefilter("error")
    else:
        warnings.filters[:] = _usual
