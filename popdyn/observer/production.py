"""The observer that reproduces a stimulus: an interval that is to be produced, say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr
from sklearn.base import BaseEstimator

from popdyn.observer import methods
from popdyn.observer.assembly import predicted, simulated
from popdyn.observer.responses import METHOD, Responses
from popdyn.observer.stored import observer_dataset, observer_from
from popdyn.resample import Seed


class Production(BaseEstimator):  # type: ignore[no-untyped-call]
    """Reproduce a stimulus as an observer who knows what to expect.

    The stimulus is measured with noise and estimated from the measurement and the prior; what is
    produced scatters around the estimate.  Usable as it is, or fitted to responses.

    Parameters
    ----------
    weber, sigma : float, optional
        Noise of the measurement: in proportion to the stimulus, constant (in its unit), or both,
        whose variances add up.  Without either `fit` finds a Weber fraction.
    motor_weber, motor_sigma : float, optional
        Noise of the production, in proportion to the estimate, constant, or both.
    prior : array, pair or tuple, optional
        Values (the frequency of each counts), ``(values, weights)``, ``("uniform", lower,
        upper)``, ``("gaussian", mean, deviation)``, ``("lognormal", median, deviation of the
        logarithm)``.  Without it the frequencies in the trials fitted to.
    estimator : {"mean", "mode", "median", "linear", "none"}
        What is taken of the posterior; ``"linear"`` draws measurements towards the prior's mean
        by the factor `contraction`, ``"none"`` takes them as they are.
    bias : float
        Added to what is produced, in the unit of the stimulus.
    lapse : float
        Share of responses that have nothing to do with the stimulus.
    lapse_range : tuple of float, optional
        Between these such responses are equally probable; without it from 0 to twice the largest
        stimulus, or to the last response fitted to.
    history : float
        Share by which the stimulus is replaced by the trace of earlier ones.
    history_decay : float
        Number of trials after which the trace has faded to 1/e; 0 is the last trial alone.
        It is not fitted.
    contraction : float
        For ``estimator="linear"``: 1 no contraction, 0 complete.
    free : list of str, optional
        What `fit` finds; without it the noises, ``lapse``, ``bias``, and ``contraction`` of a
        linear observer.

    Attributes
    ----------
    parameters_ : DataArray (parameter)
        What was fitted; used instead of the constructor's values from then on.
    result_ : Dataset
        What `to_dataset` gives.

    Examples
    --------
    >>> import popdyn as pdn
    >>> observer = pdn.observer.Production(weber=0.10, prior=("uniform", 0.5, 1.0))
    >>> observer.estimate([0.5, 0.75, 1.0]).values.round(4).tolist()
    [0.5543, 0.7601, 0.9212]
    """

    def __init__(
        self,
        *,
        weber: float | None = None,
        sigma: float | None = None,
        motor_weber: float | None = None,
        motor_sigma: float | None = None,
        prior: Any = None,
        estimator: str = "mean",
        bias: float = 0.0,
        lapse: float = 0.0,
        lapse_range: tuple[float, float] | None = None,
        history: float = 0.0,
        history_decay: float = 0.0,
        contraction: float = 1.0,
        free: Sequence[str] | None = None,
    ) -> None:
        self.weber = weber
        self.sigma = sigma
        self.motor_weber = motor_weber
        self.motor_sigma = motor_sigma
        self.prior = prior
        self.estimator = estimator
        self.bias = bias
        self.lapse = lapse
        self.lapse_range = lapse_range
        self.history = history
        self.history_decay = history_decay
        self.contraction = contraction
        self.free = free

    def _kind(self) -> Responses:
        return Responses(self)

    estimate = methods.estimate
    estimates = methods.estimates
    fit = methods.fit
    score = methods.score
    log_likelihood = methods.log_likelihood

    def predict(self, trials: Any, roles: Mapping[str, Any] | None = None) -> xr.DataArray:
        """Return the mean response to the stimulus of each trial.

        Parameters
        ----------
        trials : DataFrame, mapping, tensor, Session or Dataset
        roles : mapping, optional

        Returns
        -------
        DataArray (trial)
        """
        return predicted(self._kind(), trials, roles)

    def simulate(
        self, trials: Any, rng: Seed = 0, roles: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Draw a response for every trial.

        Parameters
        ----------
        trials : DataFrame, mapping, tensor, Session or Dataset
        rng : int or Generator
        roles : mapping, optional

        Returns
        -------
        DataFrame
            The trial table with ``response``.
        """
        return simulated(self._kind(), trials, rng, roles)

    def to_dataset(self) -> xr.Dataset:
        """Return everything the fit found, as a result; without fit the arguments alone.

        Returns
        -------
        Dataset
            Method ``"production_observer"``.  ``value``, ``standard_error`` (NaN at a bound),
            ``identified (parameter)``, ``profile_bound`` and, of bootstrap draws, ``value_bound
            (bound, parameter)`` and ``draw_value (draw, parameter)``; ``correlation (parameter,
            parameter_2)``, ``condition_number``; ``log_likelihood``, ``aic``, ``bic``;
            ``start_log_likelihood (start)``.  ``estimate`` and ``estimate_at_stimulus
            (stimulus)``, with draws as of `estimates`.  ``mean_response``,
            ``response_deviation``, ``predicted_response``, ``predicted_deviation`` and
            ``n_stimulus_trials (stimulus)``; what is predicted is so of trials without lapse.
        """
        return observer_dataset(self._kind())

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> Production:
        """Make the observer from what `to_dataset` gave."""
        return observer_from(cls, dataset, METHOD)
