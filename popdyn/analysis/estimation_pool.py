"""Tests of several networks or sessions: one pair of errors each, and they are the unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import bdtr

from popdyn.analysis.estimation_noise import Array
from popdyn.errors import FitError, TensorError, warn
from popdyn.tensor.result import make_result

_MEASURES = ("rmse", "nrmse")
_FEWEST = 2
# Of five, all on one side, a two-sided p value is 2 / 2**5 = .0625.
_ENOUGH = 6


def pool_estimation_tests(
    results: Mapping[str, xr.Dataset], control: Mapping[str, xr.Dataset] | None = None
) -> xr.Dataset:
    """Ask whether networks or sessions agree on what distances follow.

    Parameters
    ----------
    results : mapping of str to Dataset
        By source, from `popdyn.estimation_test`.
    control : mapping of str to Dataset, optional
        Of networks that were told the true stimulus: what prefers an estimate in them is no
        perception.

    Returns
    -------
    Dataset
        Method ``"estimation_tests"``:

        - ``rmse_true``, ``rmse_estimate``, ``nrmse_true``, ``nrmse_estimate``, ``p_true``,
          ``p_estimate``, ``verdict (source)``
        - ``error_difference (measure, source)``: true less estimate, above 0 where the estimate
          is closer, for "rmse" (biased in its favor) and "nrmse"
        - ``wilcoxon_p``, ``sign_p (measure)``: two-sided, of no difference over sources
        - with `control`: ``control_difference (measure, control)``, ``control_p (measure)``,
          Mann-Whitney, of differences as large as in the control

    Raises
    ------
    TensorError
        If something else is given than results of the test.
    FitError
        With fewer than two sources.

    Warns
    -----
    PopdynWarning
        With fewer than six sources, which cannot reach .05 however much they agree.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> observer = pdn.observer.Production(weber=0.1, prior=("uniform", 0.5, 1.0))
    >>> estimate = observer.estimate(stimulus)
    >>> found = {}
    >>> for seed in range(6):
    ...     noise = np.random.default_rng(seed).normal(0.0, 0.01, 11)
    ...     found[str(seed)] = pdn.estimation_test(
    ...         estimate.values + noise, stimulus, estimate, covariance=1e-4 * np.eye(11)
    ...     )
    >>> pdn.pool_estimation_tests(found).sign_p.sel(measure="nrmse").round(3).item()
    0.031
    """
    _check(results, "results", _FEWEST)
    if control is not None:
        _check(control, "control", _FEWEST)
    _check_units({**results, **(control or {})})
    difference = _differences(results)
    n = difference.shape[1]
    if n < _ENOUGH:
        warn(
            f"{n} sources cannot reach p < .05, however much they agree: the smallest two-sided p "
            f"value is {2.0 / 2**n:.3g}; take {_ENOUGH} or more"
        )
    variables: dict[str, Any] = {
        name: ("source", np.array([float(own[name]) for own in results.values()]))
        for name in ("rmse_true", "rmse_estimate", "nrmse_true", "nrmse_estimate")
        + ("p_true", "p_estimate")
    }
    verdicts = np.array([str(own.attrs["verdict"]) for own in results.values()])
    variables |= {
        "verdict": ("source", verdicts),
        "error_difference": (("measure", "source"), difference),
        "wilcoxon_p": ("measure", np.array([_wilcoxon(own) for own in difference])),
        "sign_p": ("measure", np.array([_sign(own) for own in difference])),
    }
    coords: dict[str, Any] = {
        "source": np.array(list(results), dtype=np.str_),
        "measure": np.array(_MEASURES),
    }
    if control is not None:
        other = _differences(control)
        p = [_ranks(own, none) for own, none in zip(difference, other, strict=True)]
        variables["control_difference"] = (("measure", "control"), other)
        variables["control_p"] = ("measure", np.array(p))
        coords["control"] = np.array(list(control), dtype=np.str_)
    result = make_result(
        variables, coords=coords, method="estimation_tests", parameters={"sources": list(results)}
    )
    units = str(next(iter(results.values()))["rmse_true"].attrs.get("units", "unknown"))
    for name in ("rmse_true", "rmse_estimate"):
        result[name].attrs["units"] = units
    return result


def _check(results: Any, name: str, fewest: int) -> None:
    """Refuse what is no result of the test, and too few of them."""
    if not isinstance(results, Mapping):
        message = (
            f"{name} is a mapping of names to results of pdn.estimation_test, found "
            f"{type(results).__name__}: {{'first': ..., 'second': ...}}"
        )
        raise TensorError(message)
    for source, own in results.items():
        if own.attrs.get("method") != "estimation_test":
            message = (
                f"{name}[{source!r}] is of method {own.attrs.get('method', 'none')!r}: expected "
                "results of pdn.estimation_test"
            )
            raise TensorError(message)
    if len(results) < fewest:
        message = f"{name} has {len(results)} source; at least {fewest} are needed to pool"
        raise FitError(message)


def _check_units(results: Mapping[str, xr.Dataset]) -> None:
    """Refuse errors in ms beside errors in s, declared or not."""
    units = {str(own["stimulus"].attrs.get("units", "unknown")) for own in results.values()} - {
        "unknown"
    }
    size = [float(np.abs(own["stimulus"]).mean()) for own in results.values()]
    if len(units) > 1 or max(size) > 20.0 * min(size):
        found = ", ".join(
            f"{name} around {value:.3g} {own['stimulus'].attrs.get('units', '')}".rstrip()
            for (name, own), value in zip(results.items(), size, strict=True)
        )
        message = f"stimuli are in different units, and so are errors: {found}; test all in one"
        raise TensorError(message)


def _differences(results: Mapping[str, xr.Dataset]) -> Array:
    """Error of the true stimulus less that of the estimate (measure, source)."""
    return np.array(
        [
            [float(own[f"{name}_true"] - own[f"{name}_estimate"]) for own in results.values()]
            for name in _MEASURES
        ]
    )


def _wilcoxon(difference: Array) -> float:
    """Signed ranks of differences: whether they lie around 0."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(difference).pvalue) if difference.any() else 1.0


def _sign(difference: Array) -> float:
    """Signs of differences: whether either is more frequent."""
    n = int((difference != 0).sum())
    rarer = min(int((difference > 0).sum()), int((difference < 0).sum()))
    return min(1.0, 2.0 * float(bdtr(rarer, n, 0.5))) if n else 1.0


def _ranks(difference: Array, control: Array) -> float:
    """Ranks of differences among those of the control (Mann and Whitney)."""
    from scipy.stats import mannwhitneyu  # type: ignore[attr-defined]  # stubs lack it

    return float(mannwhitneyu(difference, control).pvalue)
