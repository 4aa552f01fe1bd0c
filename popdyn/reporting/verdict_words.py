"""The verdict in words: first on the page, and with its conditions in its chapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from popdyn.plot.verdict import NEEDS, requirements, shifts
from popdyn.reporting import page
from popdyn.reporting.captions import Results, told_by_source
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import listed, number, p_value, quantity


def verdict_block(results: Results, reasons: Mapping[str, str]) -> page.Items:
    """Say what every source tells of the question, sources with the same answer together.

    Parameters
    ----------
    results
        Results of `estimation_test`, keyed by source.
    reasons
        Of sources without one why.

    Returns
    -------
    page.Items

    Examples
    --------
    >>> verdict_block({}, {"mouse": "too few trials"}).items
    ('mouse: no verdict – too few trials.',)
    """
    told: dict[str, list[str]] = {}
    for source, result in results.items():
        told.setdefault(_in_a_line(result), []).append(source)
    for source, why in reasons.items():
        told.setdefault(f"no verdict – {why}", []).append(source)
    return page.Items(
        tuple(f"{listed(names)}: {line}." for line, names in told.items()),
        label="Do distances between orbits follow the stimulus as it was, or as it is perceived?",
    )


def verdicts(results: Results) -> tuple[str, ...]:
    """Say the verdict with its four conditions.

    Parameters
    ----------
    results
        Results of `estimation_test`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> verdicts({})[0][:36]
    'What these numbers allow to say. “Es'
    """
    return (
        "What these numbers allow to say. “Estimate” takes four conditions: a bent code of the "
        "true stimulus would look the same without the prior, which alone moves what is perceived.",
        *told_by_source(results, verdict_details),
    )


def verdict_details(result: xr.Dataset) -> list[str]:
    """Tell the verdict, its reason, and of each condition what was needed and what was found.

    Parameters
    ----------
    result
        Of `estimation_test`.

    Returns
    -------
    list of str
    """
    told = [f"verdict: {_in_a_line(result)}"]
    for name, (said, why) in requirements(result).items():
        found = _FOUND[name](result)
        told.append(
            f"{said}{', as ' + why if why else ''}: it needs {NEEDS[name]}"
            f"{f' (found {found})' if found else ''}"
        )
    return told


def _in_a_line(result: xr.Dataset) -> str:
    return f"{result.attrs['verdict']} – {result.attrs['reason']}"


def _rmse_found(result: xr.Dataset) -> str:
    n = parameters(result).get("n_draws")
    lack = float(result["lack_of_fit_p_estimate"])
    return (
        f"{p_value(float(result['p_true']), n)} of the true stimulus, "
        f"{p_value(float(result['p_estimate']), n)} of the estimate"
        f"{f', {p_value(lack)} of its fit' if np.isfinite(lack) else ''}, powers "
        f"{number(float(result['power_true']))} and {number(float(result['power_estimate']))}"
    )


def _errors_found(result: xr.Dataset) -> str:
    codes = result["alternative_error"].to_series()
    bent = codes.drop(["true", "estimate"]).dropna()
    unit = str(result["alternative_error"].attrs.get("units", "1"))
    n = parameters(result).get("n_draws")
    return (
        f"errors at conditions left out of {quantity(codes['estimate'], unit)} and, of the best "
        f"bent code ({bent.idxmin()}), {quantity(bent.min(), unit)}; "
        f"{p_value(float(result['alternative_p']), n)} of bent codes"
    )


def _shift_found(result: xr.Dataset) -> str:
    if "set_shift" not in result:
        return ""
    n = parameters(result).get("n_draws")
    return (
        f"a shift of {shifts(result)}, "
        f"{p_value(float(result['shift_p_none']), n)} of no shift, "
        f"{p_value(float(result['shift_p_amount']), n)} of the expected one"
    )


_FOUND: dict[str, Callable[[xr.Dataset], str]] = {
    "rmse": _rmse_found,
    "alternatives": _errors_found,
    "behavior": lambda result: "",  # noqa: ARG005
    "shift": _shift_found,
}
