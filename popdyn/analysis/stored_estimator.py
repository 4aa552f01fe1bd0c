"""What all estimators do alike: refuse to be used before `fit`, and come back from a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import xarray as xr

from popdyn.errors import FitError, TensorError

_Estimator = TypeVar("_Estimator")


def check_fitted(estimator: Any, needed: str = "a tensor or an average") -> None:
    """Refuse an estimator that has learnt nothing yet.

    Parameters
    ----------
    estimator : object
        Fitted, when it has a ``result_``.
    needed : str
        What its `fit` takes, for the message.

    Raises
    ------
    FitError
        If `fit` has not been called.
    """
    if not hasattr(estimator, "result_"):
        message = (
            f"this {type(estimator).__name__} has not been fitted: call fit with {needed} first"
        )
        raise FitError(message)


def not_yet_restored(
    kind: Callable[..., _Estimator], dataset: xr.Dataset, method: str
) -> _Estimator:
    """Make the estimator that a result came from, with its arguments but without what it learnt.

    Parameters
    ----------
    kind : class
        Of the estimator; its constructor takes the parameters of the result, and ``rng``.
    dataset : Dataset
        From `to_dataset`, perhaps through a file.
    method : str
        Method of its results.

    Returns
    -------
    estimator
        Of the class given.

    Raises
    ------
    TensorError
        If it is a result of another method, or none.

    Examples
    --------
    >>> import xarray as xr
    >>> from popdyn.analysis.statespace import PCA
    >>> attrs = {"method": "pca", "parameters": '{"n_components": 2}', "seed": 7}
    >>> not_yet_restored(PCA, xr.Dataset(attrs=attrs), "pca")
    PCA(n_components=2, rng=7)
    """
    found = dataset.attrs.get("method", "none")
    if found != method:
        message = f"expected a result of method {method!r}, found method {found!r}"
        raise TensorError(message)
    seed = str(dataset.attrs.get("seed", ""))
    return kind(
        **json.loads(str(dataset.attrs["parameters"])), rng=int(seed) if seed.isdigit() else 0
    )
