"""What observers of each kind tell about themselves, and what is asked of all alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import FitError, PopdynError, TensorError
from popdyn.observer.likelihood import Likelihood
from popdyn.observer.parameters import complete
from popdyn.observer.posterior import ESTIMATORS, Observed
from popdyn.observer.prior import Prior, make_prior

Array = NDArray[np.float64]

# Stimuli this many times larger or smaller than expected are in another unit.
_FACTOR = 50.0


class Kind(Protocol):
    """An observer and how its kind works."""

    @property
    def observer(self) -> Any:
        """The observer."""

    @property
    def method(self) -> str:
        """Method of its results."""

    @property
    def place(self) -> str:
        """Module and class, from where `popdyn.load` makes it again."""

    @property
    def shown(self) -> tuple[str, ...]:
        """Roles of stimuli."""

    @property
    def done(self) -> str:
        """Role of the answer."""

    def given(self) -> dict[str, float | None]:
        """Return all parameters by the constructor, None where only a fit can tell."""

    def free(self) -> list[str]:
        """Return what is fitted."""

    def observed(self, values: Mapping[str, float], stimulus: Array) -> Observed:
        """Return prior, noise and rule of the (first) stimulus."""

    def likelihood(self, table: pd.DataFrame) -> Likelihood:
        """Return the likelihood of trials in which everything is known."""

    def mean(self, values: Mapping[str, float], columns: dict[str, Array]) -> Array:
        """Return what is expected of each trial."""

    def draw(
        self, values: Mapping[str, float], columns: dict[str, Array], rng: np.random.Generator
    ) -> Array:
        """Return what is done on each trial."""

    def learn(self, table: pd.DataFrame) -> dict[str, Any]:
        """Return what is taken from trials and not fitted, as attributes of the result."""

    def described(
        self, values: Mapping[str, float], table: pd.DataFrame
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return variables and coords of a result that set the fit beside the trials."""


def current_values(kind: Kind) -> dict[str, float]:
    """Return all parameters as they are: those fitted, else those given.

    Raises
    ------
    FitError
        If one is neither.
    """
    given, observer = kind.given(), kind.observer
    if hasattr(observer, "parameters_"):
        fitted = observer.parameters_
        names = fitted["parameter"].values.tolist()
        given |= {str(n): float(v) for n, v in zip(names, fitted.values, strict=True)}
    try:
        return complete(given)
    except PopdynError as error:
        message = (
            f"this {type(observer).__name__} does not know all of its parameters ({error}): give "
            "sigma= or weber=, or fit it to trials first"
        )
        raise FitError(message) from error


def prior_of(kind: Kind, name: str, stimulus: Array) -> Prior:
    """Return a prior: given, learnt from trials, or of no importance.

    Parameters
    ----------
    kind : Kind
    name : {"prior", "prior_2"}
    stimulus : ndarray
        Stand in for a prior where no estimate depends on it.

    Raises
    ------
    TensorError
        If the stimuli are nowhere near the prior.
    FitError
        If there is none and it is needed.
    """
    observer = kind.observer
    given = getattr(observer, name)
    if given is None and hasattr(observer, "result_") and name in observer.result_.attrs:
        given = json.loads(observer.result_.attrs[name])
    if given is not None:
        prior = make_prior(given)
        if observer.estimator != "none":
            _check_near(prior, stimulus)
        return prior
    if observer.estimator == "none":
        return make_prior(stimulus[np.isfinite(stimulus)])
    message = (
        f"this {type(observer).__name__} has no {name}: give it, an array of the stimuli shown or "
        "('uniform', lower, upper), or fit the observer to trials first"
    )
    raise FitError(message)


def _check_near(prior: Prior, stimulus: Array) -> None:
    """Refuse stimuli far from all that the prior expects."""
    if not stimulus.size:
        return
    low, high = prior.mean + np.array([-4, 4]) * prior.deviation
    low, high = max(low, prior.lower), min(high, prior.upper)
    least, most = float(stimulus.min()), float(stimulus.max())
    size, expected = max(abs(least), abs(most)), max(abs(low), abs(high))
    if (least > high or most < low) and not expected / _FACTOR < size < expected * _FACTOR:
        message = (
            f"the stimuli, {least:g} to {most:g}, are nowhere near the prior, {low:g} to "
            f"{high:g}: one of them is in ms, the other in s? Give both in the same unit; of "
            "trials say in the role what the column is in, "
            '{"column": ..., "units": "ms"}, and give the prior in SI units'
        )
        raise TensorError(message)


def check_estimator(estimator: str) -> str:
    """Refuse an unknown estimator."""
    if estimator not in ESTIMATORS:
        message = f"estimator must be one of {', '.join(ESTIMATORS)}; found {estimator!r}"
        raise PopdynError(message)
    return estimator


def as_trials(values: Array, table: pd.DataFrame, name: str) -> xr.DataArray:
    """Label one value per trial."""
    return xr.DataArray(values, {"trial": table.index.to_numpy().astype(np.str_)}, name=name)
