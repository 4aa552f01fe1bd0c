"""Methods that observers of both kinds have alike; each tells its kind by ``_kind()``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import xarray as xr

from popdyn.observer.assembly import (
    estimate_array,
    estimates_dataset,
    fit_observer,
    trial_log_likelihood,
)
from popdyn.resample import ResamplePlan

Observer = TypeVar("Observer")


def estimate(self: Any, stimulus: Any, at: str = "mean") -> xr.DataArray:
    """Return the estimate of the (first) stimulus.

    Parameters
    ----------
    stimulus : array-like
    at : {"mean", "stimulus"}
        The mean over measurements of each stimulus, which averaged activity can reflect; or the
        estimate from a measurement without error.

    Returns
    -------
    DataArray (stimulus)

    Raises
    ------
    TensorError
        If a parameter is out of range, or the stimuli are nowhere near the prior.
    """
    return estimate_array(self._kind(), stimulus, at)


def estimates(self: Any, stimulus: Any) -> xr.Dataset:
    """Return estimates with their uncertainty, for tests against activity.

    Parameters
    ----------
    stimulus : array-like

    Returns
    -------
    Dataset
        ``estimate (stimulus)`` and ``estimate_at_stimulus (stimulus)``; after a `fit` with
        ``resample`` also ``estimate_bound (bound, stimulus)`` and ``draw_estimate (draw,
        stimulus)``, whose draws are those of the plan.
    """
    return estimates_dataset(self._kind(), stimulus)


def fit(
    self: Observer,
    trials: Any,
    roles: Mapping[str, Any] | None = None,
    resample: ResamplePlan | None = None,
) -> Observer:
    """Find the most likely parameters.

    Parameters
    ----------
    trials : DataFrame, mapping, tensor, Session or Dataset
        All of them, in order.  Trials without answer (NaN) are left out.
    roles : mapping, optional
        Columns of ``stimulus`` and ``response`` (what was produced; without a role the column
        ``produced_interval`` if there is one); of comparisons ``stimulus``, ``stimulus_2`` and
        ``choice`` (1 where the second is called larger, -1 or 0 where smaller).
    resample : ResamplePlan, optional
        Bootstrap draws, from `popdyn.bootstrap` of these trials.

    Returns
    -------
    Discrimination or Production
        Itself.

    Raises
    ------
    TensorError
        If columns are lacking or in another unit than the prior, a parameter is out of range, or
        the answers are others than roles say: choices turned round, times of a clock.
    FitError
        If trials are few, there is one stimulus or one choice only, or responses do not scatter.

    Warns
    -----
    PopdynWarning
        If the trials do not tell some parameter, one ends where its search does, or trials of
        several contexts are taken together.

    Notes
    -----
    Searches go over: bias to twice the range of stimuli (largest less smallest) either way,
    ``sigma`` and its like 0.01 to 2 of that range, Weber fractions 0.005 to 0.6, lapse 0 to 0.6,
    history -0.5 to 0.9, contraction 0 to 1.5.
    """
    observer: Any = self
    fit_observer(observer._kind(), trials, roles, resample)
    return self


def score(self: Any, trials: Any, roles: Mapping[str, Any] | None = None) -> float:
    """Return the mean log-likelihood of an answer.

    Parameters
    ----------
    trials : DataFrame, mapping, tensor, Session or Dataset
    roles : mapping, optional

    Returns
    -------
    float
        In nats: of choices -0.69 is chance, of responses it depends on their unit.
    """
    return float(self.log_likelihood(trials, roles).mean())


def log_likelihood(self: Any, trials: Any, roles: Mapping[str, Any] | None = None) -> xr.DataArray:
    """Return the log-likelihood of every answer (trial), NaN without one."""
    return trial_log_likelihood(self._kind(), trials, roles)
