"""Dicts and lists within each other as one dict: names joined by dots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

# Beyond these a file is made to exhaust us: shared parts may make a tree endless.
_MOST_LEVELS = 50
_MOST_VALUES = 1_000_000


def flatten(tree: Any, array: Callable[[Any], NDArray[Any] | None]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a tree by name.

    Parameters
    ----------
    tree : dict, list, tuple or value
        Keys of dicts and positions in lists become parts of the names; a value by itself is
        named ``values``.
    array : function
        From a value to an array, or None to leave it out.

    Returns
    -------
    dict of text to ndarray

    Raises
    ------
    ValueError
        If the tree is deeper or larger than weights can be, or two values have one name.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.io.weight_files.array_tree import flatten
    >>> list(flatten({"rnn": {"weight": 1.0, "layers": [2.0, 3.0]}}, np.asarray))
    ['rnn.weight', 'rnn.layers.0', 'rnn.layers.1']
    """
    found: dict[str, NDArray[Any]] = {}
    n_seen = 0
    waiting: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    while waiting:
        name, value = waiting.pop()
        n_seen += 1
        if n_seen > _MOST_VALUES or len(name) > _MOST_LEVELS:
            message = "it holds more values within each other than weights can"
            raise ValueError(message)
        if isinstance(value, dict):
            items = [((*name, str(key)), inner) for key, inner in value.items()]
            waiting.extend(reversed(items))
        elif isinstance(value, (list, tuple)):
            waiting.extend(
                ((*name, str(place)), inner) for place, inner in reversed(list(enumerate(value)))
            )
        else:
            _put(found, ".".join(name) or "values", array(value))
    return found


def _put(found: dict[str, NDArray[Any]], name: str, values: NDArray[Any] | None) -> None:
    """Keep an array under its name."""
    if values is None:
        return
    if name in found:
        message = f"two of its values are named {name}"
        raise ValueError(message)
    found[name] = values
