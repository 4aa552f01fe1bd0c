"""The observer that compares two stimuli, the first of them remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr
from sklearn.base import BaseEstimator

from popdyn.observer import methods
from popdyn.observer.assembly import predicted, simulated
from popdyn.observer.choices import METHOD, Choices
from popdyn.observer.stored import observer_dataset, observer_from
from popdyn.resample import Seed


class Discrimination(BaseEstimator):  # type: ignore[no-untyped-call]
    """Compare two stimuli as an observer who knows what to expect of the first.

    The first stimulus is measured with noise, and estimated from the measurement and the prior;
    the estimate is compared with the measured second stimulus.  Usable as it is, or fitted to
    choices.

    Parameters
    ----------
    sigma, weber : float, optional
        Noise of the first stimulus: constant (in its unit), in proportion to it, or both, whose
        variances add up.  Without either `fit` finds a constant one.
    sigma_2, weber_2 : float, optional
        Noise of the second stimulus; without either it is that of the first.
    prior : array, pair or tuple, optional
        Of the first stimulus: values (the frequency of each counts), ``(values, weights)``,
        ``("uniform", lower, upper)``, ``("gaussian", mean, deviation)``, ``("lognormal", median,
        deviation of the logarithm)``.  Without it the frequencies in the trials fitted to.
    prior_2 : optional
        Likewise of the second stimulus, for ``compare="both"``; without it like `prior`, or the
        frequencies in the trials.
    pairs : array (pair, 2), optional
        Pairs expected, for ``compare="joint"``; without it those of the trials.
    estimator : {"mean", "mode", "median", "linear", "none"}
        What is taken of the posterior; ``"linear"`` draws measurements towards the prior's mean
        by the factor `contraction`, ``"none"`` takes them as they are.
    compare : {"first", "both", "joint"}
        The estimate with the measured second stimulus; estimates of both; or the more probable
        order of the two, given both measurements.
    lapse, guess : float
        Share of trials answered by chance, and how often "larger" is said on those.
    bias : float
        Added to the second stimulus, in its unit; above 0 "larger" is said more often.
    history : float
        Share by which the first stimulus is replaced by the trace of earlier first stimuli.
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

    Notes
    -----
    The share of "second larger" is ``lapse guess + (1 - lapse) ∫ N(m; s1, sigma(s1)) Phi((s2 -
    estimate(m) + bias) / sigma_2(s2)) dm``.

    Examples
    --------
    >>> import popdyn as pdn
    >>> first = [10, 14, 18, 22, 26, 34, 30, 26, 22, 18]
    >>> observer = pdn.observer.Discrimination(sigma=5.0, sigma_2=3.0, prior=first)
    >>> observer.estimate([10.0, 22.0, 34.0]).values.round(3).tolist()
    [14.232, 22.0, 29.768]
    >>> pairs = {"stimulus": [10.0, 26.0], "stimulus_2": [18.0, 34.0]}
    >>> observer.predict(pairs).values.round(4).tolist()
    [0.8282, 0.9803]
    """

    def __init__(
        self,
        *,
        sigma: float | None = None,
        weber: float | None = None,
        sigma_2: float | None = None,
        weber_2: float | None = None,
        prior: Any = None,
        prior_2: Any = None,
        pairs: Any = None,
        estimator: str = "mean",
        compare: str = "first",
        lapse: float = 0.0,
        guess: float = 0.5,
        bias: float = 0.0,
        history: float = 0.0,
        history_decay: float = 0.0,
        contraction: float = 1.0,
        free: Sequence[str] | None = None,
    ) -> None:
        self.sigma = sigma
        self.weber = weber
        self.sigma_2 = sigma_2
        self.weber_2 = weber_2
        self.prior = prior
        self.prior_2 = prior_2
        self.pairs = pairs
        self.estimator = estimator
        self.compare = compare
        self.lapse = lapse
        self.guess = guess
        self.bias = bias
        self.history = history
        self.history_decay = history_decay
        self.contraction = contraction
        self.free = free

    def _kind(self) -> Choices:
        return Choices(self)

    estimate = methods.estimate
    estimates = methods.estimates
    fit = methods.fit
    score = methods.score
    log_likelihood = methods.log_likelihood

    def predict(self, trials: Any, roles: Mapping[str, Any] | None = None) -> xr.DataArray:
        """Return how often the second stimulus of each trial is called larger.

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
        """Draw a choice for every trial.

        Parameters
        ----------
        trials : DataFrame, mapping, tensor, Session or Dataset
        rng : int or Generator
        roles : mapping, optional

        Returns
        -------
        DataFrame
            The trial table with ``choice``; ``correct`` where the stimuli differ, else NaN.
        """
        return simulated(self._kind(), trials, rng, roles)

    def to_dataset(self) -> xr.Dataset:
        """Return everything the fit found, as a result; without fit the arguments alone.

        Returns
        -------
        Dataset
            Method ``"discrimination_observer"``.  ``value``, ``standard_error`` (NaN at a bound),
            ``identified (parameter)``, ``profile_bound`` and, of bootstrap draws, ``value_bound
            (bound, parameter)`` and ``draw_value (draw, parameter)``; ``correlation (parameter,
            parameter_2)``, ``condition_number``; ``log_likelihood``, ``aic``, ``bic``,
            ``deviance`` and ``deviance_freedom``; ``start_log_likelihood (start)``.  ``estimate``
            and ``estimate_at_stimulus (stimulus)``, with draws as of `estimates`.  ``share``,
            ``predicted_share`` and ``n_trials (pair)`` of "second larger".
        """
        return observer_dataset(self._kind())

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> Discrimination:
        """Make the observer from what `to_dataset` gave."""
        return observer_from(cls, dataset, METHOD)
