"""The kind of observer that reproduces a stimulus on a continuous scale."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.network.real_numbers import real_number
from popdyn.observer.kind import check_estimator, prior_of
from popdyn.observer.likelihood import ResponseLikelihood, effective
from popdyn.observer.parameters import checked, free_names, noises
from popdyn.observer.posterior import Observed
from popdyn.observer.response import Response
from popdyn.tensor.result import as_json

Array = NDArray[np.float64]

METHOD = "production_observer"
# Lapses are spread from 0 to this multiple of the largest stimulus expected.
_LAPSE_REACH = 2.0


@dataclass(frozen=True, eq=False)
class Responses:
    """An observer that reproduces."""

    observer: Any
    method: str = METHOD
    place: str = "observer.production:Production"
    shown: tuple[str, ...] = ("stimulus",)
    done: str = "response"

    def given(self) -> dict[str, float | None]:
        """Return all parameters by the constructor, None where only a fit can tell."""
        o = self.observer
        sigma, weber = noises(o.sigma, o.weber)
        motor_sigma, motor_weber = noises(o.motor_sigma, o.motor_weber)
        return {
            "sigma": 0.0 if sigma is None else sigma,
            "weber": weber,
            "motor_sigma": 0.0 if motor_sigma is None else motor_sigma,
            "motor_weber": 0.0 if motor_weber is None else motor_weber,
            **checked(o, "lapse", "bias", "history", "contraction"),
        }

    def free(self) -> list[str]:
        """Return what is fitted."""
        o = self.observer
        if o.free is not None:
            return free_names(o.free)
        noise = []
        for pair in (("sigma", "weber"), ("motor_sigma", "motor_weber")):
            given = [name for name in pair if getattr(o, name) is not None]
            noise += given or [pair[1]]
        return [*noise, "lapse", "bias", *(["contraction"] if o.estimator == "linear" else [])]

    def observed(self, values: Mapping[str, float], stimulus: Array) -> Observed:
        """Return prior, noise and rule."""
        return self.model(stimulus).observed(values)

    def model(self, stimulus: Array) -> Response:
        """Return what is known but the parameters."""
        o = self.observer
        prior = prior_of(self, "prior", stimulus)
        if o.lapse_range is not None:
            low, high = (real_number("lapse_range", end, "two numbers") for end in o.lapse_range)
            if not low < high:
                message = f"lapse_range goes from a lower to a higher end, found {o.lapse_range!r}"
                raise TensorError(message)
        elif hasattr(o, "result_") and "lapse_range" in o.result_.attrs:
            low, high = json.loads(o.result_.attrs["lapse_range"])
        else:
            low, high = 0.0, _LAPSE_REACH * prior.upper
        return Response(prior, check_estimator(o.estimator), (low, high))

    def likelihood(self, table: pd.DataFrame) -> ResponseLikelihood:
        """Return the likelihood of trials in which everything is known."""
        names = ["stimulus", "response", *(["trace"] if "trace" in table else [])]
        columns = {name: table[name].to_numpy(dtype=np.float64) for name in names}
        return ResponseLikelihood(self.model(columns["stimulus"]), columns)

    def mean(self, values: Mapping[str, float], columns: dict[str, Array]) -> Array:
        """Return the mean response."""
        model = self.model(columns["stimulus"])
        return model.moments(values, effective(values, columns))[0]

    def draw(
        self, values: Mapping[str, float], columns: dict[str, Array], rng: np.random.Generator
    ) -> Array:
        """Return responses, by measuring, estimating and moving."""
        model, first = self.model(columns["stimulus"]), effective(values, columns)
        observed = model.observed(values)
        measured = first + observed.noise.deviation(first) * rng.standard_normal(first.size)
        mean, deviation = model.motor(values, observed.estimate(measured))
        response = mean + deviation * rng.standard_normal(first.size)
        lapsed = rng.random(first.size) < values["lapse"]
        return np.where(lapsed, rng.uniform(*model.lapse_range, first.size), response)

    def learn(self, table: pd.DataFrame) -> dict[str, Any]:
        """Return the frequencies of stimuli, and where lapses may lead."""
        stimulus, n = np.unique(table["stimulus"].to_numpy(), return_counts=True)
        furthest = max(_LAPSE_REACH * stimulus[-1], float(table["response"].max()))
        learnt = {"prior": as_json([stimulus, n / n.sum()])}
        given = self.observer.lapse_range
        if given is None:
            return {**learnt, "lapse_range": as_json([0.0, furthest])}
        outside = ~table["response"].between(*given)
        if outside.any():
            message = (
                f"{outside.sum()} of {len(table)} responses lie outside of lapse_range {given}: "
                "make it wider, or leave these trials out"
            )
            raise FitError(message)
        return learnt

    def described(
        self, values: Mapping[str, float], table: pd.DataFrame
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return means and deviations of responses to each stimulus, done and predicted."""
        shown, which = np.unique(table["stimulus"].to_numpy(), return_inverse=True)
        if len(shown) > 40:
            return {}, {}
        response = table["response"].to_numpy()
        n = np.bincount(which).astype(np.float64)
        mean = np.bincount(which, response) / n
        square = np.bincount(which, (response - mean[which]) ** 2)
        model = self.model(shown)
        # Lapses would spread wherever they may lead, however few they are.
        expected, spread = model.moments({**values, "history": 0.0, "lapse": 0.0}, shown)
        with np.errstate(invalid="ignore", divide="ignore"):
            deviation = np.sqrt(square / (n - 1))
        return {
            "mean_response": ("stimulus", mean),
            "response_deviation": ("stimulus", deviation),
            "predicted_response": ("stimulus", expected),
            "predicted_deviation": ("stimulus", spread),
            "n_stimulus_trials": ("stimulus", n.astype(np.int64)),
        }, {}
