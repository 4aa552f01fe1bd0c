"""What the arguments of demixing mean, and which of them are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from popdyn.analysis.dpca_terms import Marginalization
from popdyn.errors import FitError, TensorError


def check_options(missing: str, noise_covariance: str | None, n_folds: int) -> None:
    """Refuse arguments out of range.

    Raises
    ------
    TensorError
        If one is.
    """
    if missing not in ("refuse", "drop_neurons"):
        message = f"missing is 'refuse' or 'drop_neurons', found {missing!r}"
        raise TensorError(message)
    if noise_covariance not in (None, "full", "diagonal", "none"):
        message = (
            f"noise_covariance is 'full', 'diagonal', 'none' or None, found {noise_covariance!r}"
        )
        raise TensorError(message)
    if n_folds < 1:
        message = f"n_folds is 1 or more, found {n_folds}"
        raise TensorError(message)


def sizes(
    n_components: int | Mapping[str, int], chosen: Sequence[Marginalization], shape: Sequence[int]
) -> list[int]:
    """Tell the number of components of each marginalization.

    Parameters
    ----------
    n_components : int or mapping
        Of every marginalization, cut to its dimensions; or by name, none where not named.
    chosen : sequence of Marginalization
        The marginalizations.
    shape : sequence of int
        Neurons, levels of each factor, bins.

    Raises
    ------
    TensorError
        If a name is unknown, or a number is none.
    FitError
        If more are asked for by name than there are dimensions, or none is left.
    """
    most = [min(shape[0], one.n_free(shape[1:])) for one in chosen]
    names = [one.name for one in chosen]
    grid = f"{shape[0]} neurons and a grid of {tuple(shape[1:])} (levels, bins)"
    if isinstance(n_components, Mapping):
        _check_names(n_components, names, "n_components")
        wanted = [int(n_components.get(name, 0)) for name in names]
        for name, size, limit in zip(names, wanted, most, strict=True):
            if not 0 <= size <= limit:
                message = f"{size} components of {name!r}: {grid} have 0 to {limit}"
                raise FitError(message)
    elif isinstance(n_components, (int, np.integer)) and n_components >= 1:
        wanted = [min(int(n_components), limit) for limit in most]
    else:
        message = (
            "n_components is an integer of at least 1 or a mapping from marginalizations to "
            f"numbers, found {n_components!r}"
        )
        raise TensorError(message)
    if not sum(wanted):
        message = f"no component is left of n_components={n_components!r}: {grid}"
        raise FitError(message)
    return wanted


def given_strengths(given: Any, names: Sequence[str]) -> list[float]:
    """Regularization of each marginalization, if it was given.

    Raises
    ------
    TensorError
        If it is no number, or a name is unknown.
    """
    values = [given] * len(names)
    if isinstance(given, Mapping):
        _check_names(given, names, "regularization")
        values = [given.get(name, 0.0) for name in names]
    numbers = [float(v) for v in values if isinstance(v, (int, float, np.number))]
    if len(numbers) < len(values) or not all(np.isfinite(v) and v >= 0 for v in numbers):
        message = (
            "regularization is a number of at least 0, a mapping from marginalizations to such "
            f"numbers, or 'cv'; found {given!r}"
        )
        raise TensorError(message)
    return numbers


def _check_names(given: Mapping[str, Any], names: Sequence[str], argument: str) -> None:
    """Refuse names of marginalizations there are none of."""
    for name in given:
        if name not in names:
            near = get_close_matches(str(name), names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            message = f"{argument} names {name!r}, marginalizations are {', '.join(names)}{hint}"
            raise TensorError(message)
