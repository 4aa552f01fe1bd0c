"""Loadings of several sources with the same features: sessions, areas, networks."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.selectivity_input import Loadings, loadings_of
from popdyn.errors import PopdynWarning, TensorError, warn
from popdyn.tensor.contract import column_names, text

Array = NDArray[np.float64]


class Source(NamedTuple):
    """Neurons of one source.

    Attributes
    ----------
    name : str
        Of the source.
    given : Loadings
        As they were given.
    values : ndarray, shape (neuron, feature)
        Of the neurons that have a direction, features in the order of the first source.
    place : ndarray of int, shape (neuron,)
        Of each of these among the neurons that were given.
    """

    name: str
    given: Loadings
    values: Array
    place: NDArray[np.intp]


def neurons_needed(n_groups: int, n_features: int) -> int:
    """Fewest neurons of a source with so many groups."""
    return 2 * n_groups * (n_features + 1)


def most_groups(shape: tuple[int, ...]) -> int:
    """Most groups of a source with so many neurons and features."""
    return shape[0] // neurons_needed(1, shape[1])


def sources_of(
    sources: Any, by: str | None, n_groups: int = 2
) -> tuple[list[Source], NDArray[Any]]:
    """Read the loadings of each source, and bring features into one order.

    Parameters
    ----------
    sources, by
        As for `popdyn.selectivity_agreement`.
    n_groups : int
        Fewest groups: what `by` makes of fewer neurons is left out.

    Returns
    -------
    sources : list of Source
    features : ndarray
        Their names, numbers where no source has names.

    Raises
    ------
    TensorError
        If there are no two sources with the same features.
    """
    given = [(name, _read(name, loadings)) for name, loadings in _named(sources, by, n_groups)]
    if len(given) < 2:
        found = f"one, {given[0][0]!r}" if given else "none"
        message = (
            f"sources must be two or more, found {found}: give a mapping of name to loadings, or "
            "the loadings of all with by= a column of neurons that tells sources apart"
        )
        raise TensorError(message)
    with_names = [own for _, own in given if "feature" in own.source.coords]
    first = with_names[0].source if with_names else given[0][1].source
    features = first["feature"].to_numpy()
    read = [
        Source(name, own, _ordered(name, own, features), np.flatnonzero(own.known))
        for name, own in given
    ]
    return read, features


def _named(sources: Any, by: str | None, n_groups: int) -> list[tuple[str, Any]]:
    """Name and loadings of each source."""
    if by is not None:
        return _split(sources, by, n_groups)
    if not isinstance(sources, Mapping) or isinstance(sources, xr.Dataset):
        message = (
            "sources must be a mapping of name to loadings, such as {'network': loadings, 'M2': "
            f"coefficients}}, found {type(sources).__name__}: name each source, or say by= which "
            "column of neurons tells them apart"
        )
        raise TensorError(message)
    names = [str(name) for name in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"names of sources must be unique as text, found {twice[0]!r} twice: rename one"
        raise TensorError(message)
    return list(zip(names, sources.values(), strict=True))


def _split(loadings: Any, by: str, n_groups: int) -> list[tuple[str, Any]]:
    """Split loadings by a column of their neurons."""
    if not isinstance(loadings, (xr.DataArray, xr.Dataset)):
        message = (
            "by= splits one DataArray or Dataset by a column of its neurons, found sources that "
            f"are {type(loadings).__name__}: leave by out, or give one with that column"
        )
        raise TensorError(message)
    columns = [name for name in column_names(loadings, "neuron") if name != "neuron"]
    if by not in columns:
        near = difflib.get_close_matches(str(by), columns, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        message = (
            f"by must be a column of neurons ({', '.join(columns) or 'there are none'}), found "
            f"{by!r}{guess}"
        )
        raise TensorError(message)
    value = text(loadings[by].to_numpy())
    without = int((value == "").sum())
    if without:
        warn(f"{without} of {value.size} neurons have no {by} and are left out")
    names = _large_enough(loadings, value, by, n_groups)
    return [(name, loadings.isel(neuron=np.flatnonzero(value == name))) for name in names]


def _large_enough(loadings: Any, value: NDArray[np.str_], by: str, n_groups: int) -> list[str]:
    """Leave sources with too few neurons out."""
    with warnings.catch_warnings():
        # The same will be said of each source.
        warnings.simplefilter("ignore", PopdynWarning)
        whole = loadings_of(loadings)
    names = [str(name) for name in np.unique(value[value != ""])]
    needed = neurons_needed(n_groups, whole.values.shape[1])
    count = {name: int((whole.known & (value == name)).sum()) for name in names}
    kept = [name for name in names if count[name] >= needed]
    if len(kept) == len(names) or len(names) < 2:
        return names
    few = ", ".join(f"{name!r} {count[name]}" for name in names if name not in kept)
    found = f"{n_groups} groups in {whole.values.shape[1]} dimensions need {needed} neurons"
    if len(kept) < 2:
        message = f"{found}, of which {by} has fewer: {few}: take fewer groups or features"
        raise TensorError(message)
    warn(f"{found}: what of {by} has fewer is left out: {few}")
    return kept


def _read(name: str, loadings: Any) -> Loadings:
    """Read the loadings of one source; what is said about them names it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", PopdynWarning)
        try:
            given = loadings_of(loadings)
        except TensorError as error:
            message = f"source {name!r}: {error}"
            raise TensorError(message) from error
    for one in said:
        warn(f"source {name!r}: {one.message}")
    if "feature" in given.source.coords:
        features, count = np.unique(given.source["feature"].to_numpy(), return_counts=True)
        if (count > 1).any():
            message = (
                f"source {name!r}: names of features must be unique, found "
                f"{_listed(features[count > 1])} more than once: rename them, or leave some out"
            )
            raise TensorError(message)
    return given


def _ordered(name: str, given: Loadings, features: NDArray[Any]) -> Array:
    """Bring features into the order of the first source."""
    found = given.values.shape[1]
    if found != len(features):
        message = (
            f"sources must have the same features: source {name!r} has {found}, others "
            f"{len(features)} ({_listed(features)}): choose the same of all"
        )
        raise TensorError(message)
    if "feature" not in given.source.coords:
        if features.dtype.kind not in "iu":
            warn(
                f"source {name!r}: features have no names and are taken in the order of the "
                f"others: {_listed(features)}"
            )
        return given.values
    own = given.source["feature"].to_numpy().tolist()
    missing = [one for one in features.tolist() if one not in own]
    if missing:
        extra = [one for one in own if one not in features.tolist()]
        message = (
            f"sources must have the same features: source {name!r} has {_listed(extra)} where "
            f"others have {_listed(missing)}: choose the same of all, or rename"
        )
        raise TensorError(message)
    return given.values[:, [own.index(one) for one in features.tolist()]]


def _listed(names: Any) -> str:
    """Write names in a row."""
    return ", ".join(repr(one) for one in np.asarray(names).tolist())
