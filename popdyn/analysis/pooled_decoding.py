"""What do several sessions say together?  Their decoding results as one, a session the unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import stdtrit

from popdyn.analysis.shuffle_test import over_time
from popdyn.errors import TensorError
from popdyn.resample import BOUND, Seed, as_generator, spawn, upper_p_value
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

_SCORES = {"decode": "accuracy", "decode_quantity": "r2"}
# Student's interval knows of no end of the scale; what lies beyond it no session can have.
_ENDS = {"accuracy": (0.0, 1.0), "r2": (-np.inf, 1.0)}


def pool_decoding(
    results: Mapping[str, xr.Dataset] | Sequence[xr.Dataset], *, rng: Seed = 0
) -> xr.Dataset:
    """Average decoding results over sessions, with bounds and a test of the average.

    Each session is decoded on its own (its neurons, its trials); nothing is pooled but scores.

    Parameters
    ----------
    results : mapping of name to Dataset, or list of Dataset
        From `decode` or from `decode_quantity`, with the same bins and numbers of draws.  A list
        is named by ``source_id``.
    rng : int or Generator
        Pairs the shuffles of sessions at random.

    Returns
    -------
    Dataset
        The variables of the results that are scores: ``accuracy (time)`` (or ``r2``), the mean
        over sessions; ``accuracy_bound (bound, time)``: 95 % interval of Student's t, the session
        the unit, cut at the ends of the scale, NaN for one session; ``null_accuracy (draw, time)``:
        a shuffle of every session, averaged; ``p``, ``p_corrected``, ``cluster_p``, ``cluster``,
        ``mean_accuracy`` with ``mean_accuracy_bound``, ``null_mean_accuracy``, ``mean_p``; and
        ``session_accuracy (session, time)``.  ``pdn.show`` draws it as it draws one session.

    Raises
    ------
    TensorError
        If the results are of different methods, labels, bins, numbers of draws or chance
        levels, or one is given twice.

    Notes
    -----
    The p values ask whether *these* sessions hold the label; the bounds say what other sessions
    would give.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> choice, days = np.tile([0, 1], 15), {}
    >>> for day in range(3):
    ...     values = np.random.default_rng(day).normal(size=(4, 2, 30))
    ...     values[:, 1] += choice
    ...     tensor = pdn.make_tensor(values, [0.0, 0.1], {"choice": choice}, units="1")
    ...     days[f"day{day}"] = pdn.decode(tensor, "choice", n_draws=50)
    >>> pooled = pdn.pool_decoding(days)
    >>> pooled["session_accuracy"].dims, bool(pooled["p_corrected"][1] < 0.05)
    (('session', 'time'), True)
    """
    named = _named(results)
    method, score = _checked(named)
    generator, seed = as_generator(rng)
    each = np.stack([result[score].values for result in named.values()])
    nulls = [
        result[f"null_{score}"].values[own.permutation(result.sizes["draw"])]
        for result, own in zip(named.values(), spawn(generator, len(named)), strict=True)
    ]
    observed, null = each.mean(axis=0), np.mean(nulls, axis=0)
    null_mean = null.mean(axis=1)
    first, ends = next(iter(named.values())), _ENDS[score]
    variables = {
        score: ("time", observed, {"units": "1"}),
        f"{score}_bound": (("bound", "time"), _student(each, *ends), {"units": "1"}),
        f"null_{score}": (("draw", "time"), null),
        **over_time(observed, null),
        f"mean_{score}": ((), float(observed.mean()), {"units": "1"}),
        f"mean_{score}_bound": (
            "bound",
            _student(each.mean(axis=1, keepdims=True), *ends)[:, 0],
        ),
        f"null_mean_{score}": ("draw", null_mean),
        "mean_p": ((), float(upper_p_value(float(observed.mean()), null_mean))),
        f"session_{score}": (("session", "time"), each, {"units": "1"}),
        **({"chance": first["chance"]} if "chance" in first else {}),
    }
    pooled = make_result(
        variables,
        coords={
            "time": first["time"],
            "bound": BOUND,
            "draw": first["draw"].values,
            "session": np.array(list(named), dtype=np.str_),
        },
        method=method,
        parameters={"sessions": list(named)},
        seed=seed,
    )
    for key in ("label", "align", "bin_width"):
        if key in first.attrs:
            pooled.attrs[key] = first.attrs[key]
    pooled.attrs.update(n_sessions=len(named), unit="session")
    return pooled


def _named(results: Mapping[str, xr.Dataset] | Sequence[xr.Dataset]) -> dict[str, xr.Dataset]:
    """Give every result a name."""
    if isinstance(results, Mapping):
        return {str(name): result for name, result in results.items()}
    names = [str(result.attrs.get("source_id", "")) for result in results]
    if len(set(names)) < len(names) or "" in names:
        names = [f"session {number}" for number in range(1, len(names) + 1)]
    return dict(zip(names, results, strict=True))


def _checked(named: Mapping[str, xr.Dataset]) -> tuple[str, str]:
    """Give the method and its score; refuse results that cannot be averaged."""
    methods = {str(result.attrs.get("method")) for result in named.values()}
    method = next(iter(methods), "nothing")
    if len(methods) != 1 or method not in _SCORES:
        found = ", ".join(sorted(methods)) or "nothing"
        message = f"pool_decoding takes results of decode or of decode_quantity; found {found}"
        raise TensorError(message)
    first_name, first = next(iter(named.items()))
    for name, result in named.items():
        differs = _difference(first, result)
        if differs:
            message = (
                f"pool_decoding needs the same {differs} in every session; {name!r} differs from "
                f"{first_name!r}. Align and decode all of them with the same arguments"
            )
            raise TensorError(message)
    _check_different(named, _SCORES[method])
    return method, _SCORES[method]


def _check_different(named: Mapping[str, xr.Dataset], score: str) -> None:
    """Refuse a result that is given twice: it is no further session."""
    seen: dict[tuple[str, ...], str] = {}
    for name, result in named.items():
        ids = (str(result.attrs.get(key, "")) for key in ("source_id", "input_digest"))
        own = (*ids, str(result[score].values.tolist()))
        if own in seen:
            message = (
                f"pool_decoding averages over sessions; {seen[own]!r} and {name!r} are the same "
                "result. Give every session once"
            )
            raise TensorError(message)
        seen[own] = name


def _difference(first: xr.Dataset, other: xr.Dataset) -> str:
    """Say what keeps two results from being averaged; empty when nothing does."""
    labels = [str(result.attrs.get("label", "")) for result in (first, other)]
    if labels[0] != labels[1]:
        return f"label ({labels[0]} and {labels[1]})"
    times: list[Any] = [result["time"].values for result in (first, other)]
    if times[0].shape != times[1].shape or np.abs(times[0] - times[1]).max() > 1e-6:
        return "bins"
    if first.sizes["draw"] != other.sizes["draw"]:
        return "number of draws (n_draws)"
    if "chance" in first and float(first["chance"]) != float(other["chance"]):
        return "number of classes"
    return ""


def _student(each: Array, least: float, most: float) -> Array:
    """95 % interval of Student's t for the mean of sessions (session, time)."""
    n = len(each)
    mean = each.mean(axis=0)
    if n < 2:
        return np.full((2, mean.size), np.nan)
    half = stdtrit(n - 1, 0.975) * each.std(axis=0, ddof=1) / np.sqrt(n)
    return np.stack([mean - half, mean + half]).clip(least, most)
