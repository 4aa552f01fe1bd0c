"""The kind of observer that compares two stimuli and chooses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from popdyn.errors import FitError, PopdynError
from popdyn.observer.comparison import COMPARISONS, Comparison
from popdyn.observer.kind import check_estimator, prior_of
from popdyn.observer.likelihood import ChoiceLikelihood, effective
from popdyn.observer.measurement import Measurements
from popdyn.observer.noise import Noise
from popdyn.observer.parameters import checked, free_names, noises
from popdyn.observer.posterior import Observed
from popdyn.tensor.result import as_json

Array = NDArray[np.float64]

METHOD = "discrimination_observer"
_MOST_PAIRS = 400


@dataclass(frozen=True, eq=False)
class Choices:
    """An observer that compares."""

    observer: Any
    method: str = METHOD
    place: str = "observer.discrimination:Discrimination"
    shown: tuple[str, ...] = ("stimulus", "stimulus_2")
    done: str = "choice"

    def given(self) -> dict[str, float | None]:
        """Return all parameters by the constructor, None where only a fit can tell."""
        o = self.observer
        sigma, weber = noises(o.sigma, o.weber)
        sigma_2, weber_2 = noises(o.sigma_2, o.weber_2)
        return {
            "sigma": sigma,
            "weber": 0.0 if sigma is None else weber,
            "sigma_2": sigma_2,
            "weber_2": weber_2,
            **checked(o, "lapse", "guess", "bias", "history", "contraction"),
        }

    def free(self) -> list[str]:
        """Return what is fitted."""
        o = self.observer
        if o.free is not None:
            return free_names(o.free)
        noise = [n for n in ("sigma", "weber", "sigma_2", "weber_2") if getattr(o, n) is not None]
        if o.sigma is None and o.weber is None:
            noise = ["sigma", *noise]
        return [*noise, "lapse", "bias", *(["contraction"] if o.estimator == "linear" else [])]

    def observed(self, values: Mapping[str, float], stimulus: Array) -> Observed:
        """Return prior, noise and rule of the first stimulus."""
        prior = prior_of(self, "prior", stimulus)
        noise = Noise(values["sigma"], values["weber"])
        rule = check_estimator(self.observer.estimator)
        return Observed(prior, noise, rule, values["contraction"])

    def model(self, columns: Mapping[str, Array]) -> Comparison:
        """Return what is known but the parameters."""
        o = self.observer
        if o.compare not in COMPARISONS:
            message = f"compare must be one of {', '.join(COMPARISONS)}; found {o.compare!r}"
            raise PopdynError(message)
        if o.compare == "both" and o.estimator not in ("mean", "linear", "none"):
            message = (
                "compare='both' needs an estimate that grows with the measurement: estimator "
                f"'mean', 'linear' or 'none', found {o.estimator!r}"
            )
            raise PopdynError(message)
        prior = prior_of(self, "prior", columns["stimulus"])
        prior_2 = prior
        if o.compare == "both" and (o.prior is None or o.prior_2 is not None):
            prior_2 = prior_of(self, "prior_2", columns["stimulus_2"])
        pairs = self._pairs() if o.compare == "joint" else np.empty((0, 3))
        return Comparison(prior, prior_2, check_estimator(o.estimator), o.compare, pairs)

    def likelihood(self, table: pd.DataFrame) -> ChoiceLikelihood:
        """Return the likelihood of trials in which everything is known."""
        names = [*self.shown, *(["trace"] if "trace" in table else [])]
        columns = {name: table[name].to_numpy(dtype=np.float64) for name in names}
        return ChoiceLikelihood(self.model(columns), columns, table["choice"].to_numpy())

    def mean(self, values: Mapping[str, float], columns: dict[str, Array]) -> Array:
        """Return how often the second stimulus is called larger."""
        first = effective(values, columns)
        share = self.model(columns).log_shares(values, first, columns["stimulus_2"])[0]
        return np.asarray(np.exp(share))

    def draw(
        self, values: Mapping[str, float], columns: dict[str, Array], rng: np.random.Generator
    ) -> Array:
        """Return choices, by measuring, estimating and comparing."""
        model, first, second = (
            self.model(columns),
            effective(values, columns),
            columns["stimulus_2"],
        )
        observed, noise_2 = model.observed(values), Noise(values["sigma_2"], values["weber_2"])
        measured = first + observed.noise.deviation(first) * rng.standard_normal(first.size)
        nodes = Measurements(measured, observed.estimate(measured), observed.noise)
        lower, upper = model.limits(observed, nodes, noise_2, np.unique(second), values["bias"])
        measured_2 = second + noise_2.deviation(second) * rng.standard_normal(first.size)
        larger = (measured_2 > upper) | (measured_2 < lower)
        guessed = rng.random(first.size) < values["guess"]
        larger = np.where(rng.random(first.size) < values["lapse"], guessed, larger)
        return np.where(larger, 1.0, -1.0)

    def learn(self, table: pd.DataFrame) -> dict[str, Any]:
        """Return the frequencies of stimuli and pairs."""
        learnt = {}
        for name, column in (("prior", "stimulus"), ("prior_2", "stimulus_2")):
            values, n = np.unique(table[column].to_numpy(), return_counts=True)
            learnt[name] = as_json([values, n / n.sum()])
        pairs, n = np.unique(table[list(self.shown)].to_numpy(), axis=0, return_counts=True)
        if len(pairs) <= _MOST_PAIRS:
            learnt["pairs"] = as_json(np.column_stack([pairs, n / n.sum()]))
        return learnt

    def described(
        self, values: Mapping[str, float], table: pd.DataFrame
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return shares of "second larger" of each pair, done and predicted."""
        pairs, which = np.unique(table[list(self.shown)].to_numpy(), axis=0, return_inverse=True)
        if len(pairs) > _MOST_PAIRS:
            return {}, {}
        which = which.ravel()
        n = np.bincount(which).astype(np.float64)
        larger = np.bincount(which, table["choice"].to_numpy() > 0).astype(np.float64)
        plain = {**values, "history": 0.0}
        columns = {"stimulus": pairs[:, 0], "stimulus_2": pairs[:, 1]}
        predicted = self.mean(plain, columns)
        variables: dict[str, Any] = {
            "share": ("pair", larger / n, {"units": "1"}),
            "predicted_share": ("pair", predicted, {"units": "1"}),
            "n_pair_trials": ("pair", n.astype(np.int64)),
        }
        if len(pairs) > len(self.free()):
            variables["deviance"] = _deviance(larger, n, predicted)
            variables["deviance_freedom"] = len(pairs) - len(self.free())
        return variables, {"first": ("pair", pairs[:, 0]), "second": ("pair", pairs[:, 1])}

    def _pairs(self) -> Array:
        o = self.observer
        if o.pairs is not None:
            pairs, n = np.unique(np.asarray(o.pairs, dtype=float), axis=0, return_counts=True)
            table = np.column_stack([pairs, n / n.sum()])
        elif hasattr(o, "result_") and "pairs" in o.result_.attrs:
            table = np.array(json.loads(o.result_.attrs["pairs"]))
        else:
            message = (
                "compare='joint' needs the pairs that are expected: pairs=[(first, second), ...], "
                f"or a fit to trials with at most {_MOST_PAIRS} different ones"
            )
            raise FitError(message)
        differ = table[:, 0] != table[:, 1]
        return np.asarray(table[differ])


def _deviance(larger: Array, n: Array, share: Array) -> float:
    """Twice what the likelihood lacks to that of the shares themselves."""
    parts = []
    for count, expected in ((larger, n * share), (n - larger, n * (1 - share))):
        some = count > 0
        parts.append((count[some] * np.log(count[some] / expected[some])).sum())
    return float(2 * sum(parts))
