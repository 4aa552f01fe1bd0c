"""What a report is made of and where it goes: trees, files of trees, a path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from popdyn.errors import SourceError, TensorError
from popdyn.reporting.sources import is_comparison
from popdyn.tensor import store

Trees = xr.DataTree | str | Path | Sequence[xr.DataTree | str | Path]


# A dataset is iterable too, but as a whole it is the mistake to tell of.
_SINGLE = (xr.DataTree, xr.Dataset, xr.DataArray, str, Path)


def html_path(path: str | Path) -> Path:
    """Check where a report goes.

    Parameters
    ----------
    path
        As the user gave it; ``.html`` is added to a name without an ending.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    SourceError
        If it is a folder.

    Examples
    --------
    >>> html_path("results/comparison").name
    'comparison.html'
    """
    target = Path(path)
    if target.is_dir():
        message = f"{path} is a folder: name the HTML file, for example {target / 'report.html'}."
        raise SourceError(message)
    return target.with_name(target.name + ".html") if not target.suffix else target


def comparisons(tree: Trees) -> list[xr.DataTree]:
    """Load whatever was given, and check that it is one comparison or several.

    Parameters
    ----------
    tree
        A tree, a file, or a sequence of either.

    Returns
    -------
    list of DataTree
        At least one.

    Raises
    ------
    SourceError
        If a file is missing or holds no comparison.
    TensorError
        If an object is no comparison, or there is none at all.

    Examples
    --------
    >>> comparisons([])
    Traceback (most recent call last):
        ...
    popdyn.errors.TensorError: Expected at least one comparison, found none: give report() ...
    """
    trees = [_comparison(one) for one in ([tree] if isinstance(tree, _SINGLE) else tree)]
    if not trees:
        message = "Expected at least one comparison, found none: give report() a tree of compare()."
        raise TensorError(message)
    return trees


def _comparison(tree: xr.DataTree | str | Path) -> xr.DataTree:
    """Load a comparison if it is a file, and check that it is one."""
    found = store.load(tree) if isinstance(tree, str | Path) else tree
    if isinstance(found, xr.DataTree) and is_comparison(found):
        return found
    what = f"holds {_what(found)}" if isinstance(tree, str | Path) else f"is {_what(found)}"
    message = (
        f"Expected a comparison (a DataTree with the branch 'sources'), but {_name(tree)} {what}: "
        "make one with popdyn.compare()."
    )
    raise (SourceError if isinstance(tree, str | Path) else TensorError)(message)


def _name(tree: object) -> str:
    """Name a tree for a message."""
    return str(tree) if isinstance(tree, str | Path) else "what was given"


def _what(found: object) -> str:
    """Say what was found instead of a comparison."""
    if isinstance(found, xr.DataTree):
        return f"a DataTree with {', '.join(map(repr, found.children)) or 'no branches'}"
    return f"a {type(found).__name__}"
