"""Sentences for a methods section: encoding, demixing, numbers, decoders in time, timescales."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import xarray as xr

from popdyn.reporting.phrases import draws, prepared, regularizations, setting, short
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import listed

_FAMILIES = {
    "gaussian": "by least squares",
    "poisson": "by Poisson regression with a logarithmic link",
    "negative_binomial": "by negative-binomial regression with a logarithmic link",
}
_NOISES = {
    "poisson": "Poisson noise of the spikes",
    "free": "white noise of a fitted size",
    "none": "no added noise",
}


def _encoding(result: xr.Dataset) -> list[str]:
    values = parameters(result)
    asked = values.get("regressors", [])
    terms = f"the formula {asked}" if isinstance(asked, str) else listed([str(n) for n in asked])
    penalty = values.get("regularization", 0.0)
    ridge = {"cv": ", with a ridge chosen for each neuron by held-out error"}.get(
        str(penalty), f", with a ridge of {short(float(penalty))}" if _is_positive(penalty) else ""
    )
    errors = {"HC1": "HC1", "HC3": "HC3", "True": "heteroskedasticity-robust"}.get(
        str(values.get("robust")), ""
    )
    parts = [
        prepared(result),
        f"Activity of each neuron in each bin {setting(result)} was regressed on {terms} and an "
        f"intercept {_FAMILIES.get(str(values.get('family')), '')}{ridge}"
        f"{f'; standard errors are {errors}' if errors else ''}. q values are corrected for false "
        "discoveries over neurons and bins (Benjamini and Hochberg 1995).",
    ]
    if "unique_explained_variance" in result:
        parts.append(
            "The unique variance of a term is what the explained variance of held-out trials "
            f"({values.get('n_folds', '?')} folds) loses when the term is left out."
        )
    if "cluster_p" in result:
        parts.append(
            f"Clusters of bins were tested against {values.get('n_draws', '?')} permutations of "
            "the residuals without the term over trials (Freedman and Lane 1983), corrected over "
            "the bins of a neuron by the largest cluster."
        )
    return parts


def _dpca(result: xr.Dataset) -> list[str]:
    values = parameters(result)
    by_folds = values.get("regularization") == "cv"
    chosen = (
        f"chosen by holding out one trial of every combination {values.get('n_folds', '?')} times"
        if by_folds
        else f"= {regularizations(result)}"
    )
    parts = [
        prepared(result),
        "Demixed principal components (Kobak et al. 2016) of the averages over "
        f"{listed([str(name) for name in values.get('factors', [])])} {setting(result)}: "
        f"{_components(values.get('n_components', '?'))} of each marginalization "
        f"({listed([str(name) for name in result['marginalization'].values])}); λ {chosen}"
        f"; noise covariance in the loss: {_noise(result)}.",
    ]
    if values.get("missing") == "drop_neurons":
        parts.append("Neurons without a trial of some combination were left out.")
    if "signal_ratio" in result:
        parts.append(
            "Shares of the signal variance are those of the averages less the noise of the trials; "
            "intervals (95 %) are Student intervals from leaving out groups of trials in turn."
        )
    test = json.loads(str(result.attrs.get("significance", "{}")))
    if test:
        parts.append(
            f"Components were tested by classifying one held-out trial of every combination "
            f"({test.get('n_folds', '?')} times) by the nearest class mean along the decoder, "
            f"against {draws(result, 'draw')} shuffles of the trials, corrected over bins by the "
            "largest accuracy."
        )
    return parts


def _decode_quantity(result: xr.Dataset) -> list[str]:
    values = parameters(result)
    ridge = values.get("regularization")
    chosen = (
        "chosen among 13 from 0.001 to 1000 by leaving out one training trial in turn"
        if ridge == "cv"
        else f"of {ridge if isinstance(ridge, list) else short(float(ridge or 0.0))}"
    )
    return [
        prepared(result),
        f"The number {result.attrs.get('label', 'of each trial')} was decoded from the population "
        f"activity in each bin {setting(result)} by ridge regression on neurons scaled to unit "
        f"variance in the training trials, the ridge {chosen}, with "
        f"{values.get('n_folds', '?')}-fold cross-validation over trials{_held_together(values)}.",
        "Intervals (95 %) are from a bootstrap over held-out trials, widened by what shuffled "
        f"labels vary beyond independent trials; the null distribution is from "
        f"{draws(result, 'draw')} shuffles of the labels within folds; clusters of bins were held "
        "against the largest of each shuffle.",
    ]


def _temporal_generalization(result: xr.Dataset) -> list[str]:
    values = parameters(result)
    ridge = short(float(values.get("regularization", 1.0)))
    return [
        prepared(result),
        f"Decoders of the trial variable {result.attrs.get('label', 'label')} (linear discriminant "
        f"analysis with a ridge of {ridge} on neurons scaled to unit variance in the training "
        f"trials and bin) were trained in each bin {setting(result)} and tested in every other on "
        f"held-out trials ({values.get('n_folds', '?')}-fold cross-validation, stratified by class"
        f"{_held_together(values)}; King and Dehaene 2014); accuracy is balanced over classes.",
        f"Areas of the matrix were held against the largest area of each of "
        f"{draws(result, 'draw')} shuffles of the labels within folds (Maris and Oostenveld 2007).",
    ]


def _timescale(result: xr.Dataset) -> list[str]:
    values = parameters(result)
    width = float(result.attrs.get("bin_width", 0.0))
    longest = values.get("max_lag")
    lags = f"{short(float(longest))} s" if longest else "40 % of the window"
    by = values.get("by") or []
    of = f"condition ({listed([str(name) for name in by])})" if by else "bin over all trials"
    return [
        f"Intrinsic timescales were estimated {setting(result)} in bins of {short(width * 1000)} "
        "ms: the average of each "
        f"{of} was subtracted, and the exact expectation of the within-trial autocovariance of an "
        "exponentially correlated process, the subtraction of each trial's mean included, was "
        f"fitted to the measured one (lags up to {lags}; "
        f"{_NOISES.get(str(values.get('noise')), 'noise')}). The population's autocovariance is "
        "the sum of the neurons', each divided by its variance.",
        f"Intervals (95 %) are percentiles of {values.get('n_draws', '?')} bootstrap draws of "
        "trials. The direct exponential fit (Murray et al. 2014) is biased towards short "
        "timescales and given for comparison only.",
    ]


def _is_positive(penalty: Any) -> bool:
    return isinstance(penalty, (int, float)) and penalty > 0


def _components(asked: Any) -> str:
    """Write how many components were asked for."""
    if isinstance(asked, dict):
        return listed([f"{n} ({name})" for name, n in asked.items()])
    return f"at most {asked}"


def _noise(result: xr.Dataset) -> str:
    """Say which noise covariance was used: what was asked for, or what the default is."""
    values = parameters(result)
    asked = values.get("noise_covariance")
    if asked:
        return str(asked)
    if values.get("regularization") != "cv":
        return "none"
    return "full" if int(result.attrs.get("simultaneous", 1)) else "diagonal"


def _held_together(values: dict[str, Any]) -> str:
    """Say which trials were held out together."""
    groups = values.get("groups")
    if not groups:
        return ""
    names = [groups] if isinstance(groups, str) else [str(name) for name in groups]
    return f", trials of one {listed(names)} held out together"


STATE_SENTENCES: dict[str, Callable[[xr.Dataset], list[str]]] = {
    "encoding": _encoding,
    "dpca": _dpca,
    "decode_quantity": _decode_quantity,
    "temporal_generalization": _temporal_generalization,
    "timescale": _timescale,
}
