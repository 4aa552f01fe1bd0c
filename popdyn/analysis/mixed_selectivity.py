"""Whether neurons follow one task variable, several, or how these go together: nested F tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from popdyn.analysis.design import Design
from popdyn.analysis.epoch_mean import epoch_mean
from popdyn.analysis.factorial_design import complete_trials, factorial_design, keep_terms
from popdyn.analysis.false_discovery import false_discovery_q
from popdyn.analysis.least_squares import Fit, fit_least_squares
from popdyn.analysis.unequal_variance import warn_of_unequal_variance
from popdyn.errors import TensorError, warn
from popdyn.network.real_numbers import real_number
from popdyn.resample import BOUND
from popdyn.tensor.contract import check, column_names
from popdyn.tensor.result import make_result
from popdyn.tensor.roles import assign_roles
from popdyn.train.validate import wilson_interval

Array = NDArray[np.float64]

INTERACTION = "interaction"
KINDS = ("none", "pure", "linear mixed", "nonlinear mixed")
# What differs by less than this share of the activity, or so many steps of its type, is rounding.
_ROUNDING, _STEPS = 1e-10, 64


def mixed_selectivity(
    tensor: xr.DataArray,
    factors: Sequence[str],
    *,
    window: tuple[float, float] | None = None,
    alpha: float = 0.05,
    roles: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Tell neurons of pure, linear mixed and nonlinear mixed selectivity apart.

    Activity of each neuron in each bin is fitted by the means of all combinations of the
    factors' levels.  Nested F tests ask whether each factor matters beside the others, and
    whether factors do more together than the sum of what each does (their interactions, all
    orders at once).  A neuron is *pure* if exactly one factor matters, *linear mixed* if several
    do and there is no interaction, and *nonlinear mixed* if there is.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates, counts or potentials.  A NaN trial is left out of its neuron and bin only.
    factors : sequence of str
        Two or more trial columns or roles, each value of which is a level.
    window : (start, stop), optional
        Epoch in s over whose bins (centers in [start, stop)) activity is averaged first; without,
        every bin is tested.
    alpha : float
        Share of the tests that are called significant which may be false (Benjamini and Hochberg,
        over neurons and bins of each test).
    roles : mapping, optional
        As for `popdyn.trial_table`.

    Returns
    -------
    Dataset
        Method ``"mixed_selectivity"``.  ``f``, ``p``, ``q (effect, neuron, time)`` and
        ``explained_variance (effect, neuron, time)``, partial omega squared: the share of the
        variance that the other effects leave which this one explains, without what chance adds;
        effects are the factors and ``"interaction"``.  ``selectivity (neuron, time)``, one of
        ``"none"``, ``"pure"``, ``"linear mixed"``, ``"nonlinear mixed"``, or ``""`` where there
        is no test; ``share (selectivity_kind, time)`` of the tested neurons, with
        ``share_bound (bound, selectivity_kind, time)``, 95 % over neurons (Wilson);
        ``n_trials (neuron, time)``.

    Raises
    ------
    TensorError
        If there are fewer than two factors, one is unknown, has one level or more than 12, some
        combination of levels has no trial, there are no more trials than combinations, bins of
        the window were never observed, or no neuron can be tested.

    Warns
    -----
    PopdynWarning
        If trials lack a level, or neurons cannot be tested: those observed on too few trials, and
        those that never vary among trials of the same levels but by rounding, as activity without
        noise, since that is what an F test compares effects to.  If the most frequent combination
        of levels has more than 3 times the trials of the rarest and variances within combinations
        differ (Levene's p < .05, and a tenth of the distances to their means explained, in more
        than a fifth of neurons and bins), as those of counts do.

    Notes
    -----
    Neurons with few trials are called *none* or *pure* for want of power: shares of mixed
    neurons are lower bounds, and to be compared at equal numbers of trials.  A neuron whose rate
    is a nonlinear function of a sum of both factors (a threshold, say) has an interaction as well.

    F tests take one variance for all combinations.  Variances of counts grow with their means:
    with unequal numbers of trials (few errors, say), interactions are found that are none, or
    missed.  ``pdn.mixed_selectivity(np.sqrt(counts), ...)`` makes them about equal, in bins of
    about one spike or more.

    References
    ----------
    Rigotti et al. (2013), Nature 497:585.
    Lindsay, Rigotti, Warden, Miller & Fusi (2017), J. Neurosci. 37:11021.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> motion, color = (np.tile(np.repeat([-1.0, 1.0], n), 40 // n) for n in (1, 2))
    >>> mean = np.stack([motion, motion + color, motion * color])
    >>> values = 20 + mean[:, None] + 0.5 * rng.normal(size=(3, 1, 80))
    >>> tensor = pdn.make_tensor(values, [0.0], {"motion": motion, "color": color}, bin_width=0.1)
    >>> result = pdn.mixed_selectivity(tensor, ["motion", "color"])
    >>> result["selectivity"].isel(time=0).values.tolist()
    ['pure', 'linear mixed', 'nonlinear mixed']
    """
    tensor = check(tensor if roles is None else assign_roles(tensor, roles))
    tensor = tensor if window is None else epoch_mean(tensor, window)
    names = _factors(factors)
    limit = real_number("alpha", alpha, "a share of false discoveries")
    if not 0 < limit < 1:
        message = f"alpha must lie between 0 and 1, found {alpha!r}"
        raise TensorError(message)
    tensor = complete_trials(tensor, names)
    full = factorial_design(tensor, names)
    additive = keep_terms(full, names)
    whole, sums = _without_rounding(_fit(tensor, full), tensor.dtype), _fit(tensor, additive)
    left = {name: _fit(tensor, keep_terms(full, [n for n in names if n != name])) for name in names}
    tests = [_f_test(left[name], sums, whole) for name in names] + [_f_test(sums, whole, whole)]
    f, p, explained = (np.stack(values) for values in zip(*tests, strict=True))
    q = np.stack([false_discovery_q(family) for family in p])
    kind = _kinds(q, limit)
    _say_untested(tensor, kind, whole)
    warn_of_unequal_variance(tensor, names)
    table = ("effect", "neuron", "time")
    share, bound = _shares(kind)
    variables = {
        "f": (table, f, {"units": "1"}),
        "p": (table, p, {"units": "1"}),
        "q": (table, q, {"units": "1"}),
        "explained_variance": (table, explained, {"units": "1"}),
        "selectivity": (("neuron", "time"), kind),
        "share": (("selectivity_kind", "time"), share, {"units": "1"}),
        "share_bound": (("bound", "selectivity_kind", "time"), bound, {"units": "1"}),
        "n_trials": (("neuron", "time"), whole.n_trials, {"units": "1"}),
    }
    coords = {key: tensor[key] for key in ("neuron", "time", *column_names(tensor, "neuron"))}
    return make_result(
        variables,
        coords={
            **coords,
            "effect": [*names, INTERACTION],
            "selectivity_kind": list(KINDS),
            "bound": BOUND,
        },
        method="mixed_selectivity",
        parameters={"factors": names, "window": window, "alpha": limit, "roles": roles},
        source=tensor,
    )


def _factors(factors: Any) -> list[str]:
    """Return the names of the factors.

    Raises
    ------
    TensorError
        If there are fewer than two.
    """
    names = [] if isinstance(factors, str) else [str(name) for name in factors]
    if len(set(names)) < max(len(names), 2):
        message = (
            f"factors must name two or more trial columns, each once, found {factors!r}; for one "
            "variable take popdyn.encoding"
        )
        raise TensorError(message)
    return names


def _fit(tensor: xr.DataArray, design: Design) -> Fit:
    return fit_least_squares(tensor.values, design)


def _f_test(small: Fit, large: Fit, whole: Fit) -> tuple[Array, Array, Array]:
    """Compare two nested fits; the residual variance is that of the whole one.

    Returns
    -------
    f, p, explained : ndarray, shape (neuron, time)
        F, its p value, and partial omega squared.
    """
    n_free = small.degrees_of_freedom - large.degrees_of_freedom
    squares = (
        small.residual_variance * small.degrees_of_freedom
        - large.residual_variance * large.degrees_of_freedom
    )
    error, left = whole.residual_variance, whole.degrees_of_freedom
    with np.errstate(invalid="ignore", divide="ignore"):
        f = np.maximum(squares, 0.0) / n_free / error
        p = special.fdtrc(n_free, left, f)
        explained = n_free * (f - 1) / (n_free * (f - 1) + whole.n_trials)
    known = np.isfinite(error) & (error > 0) & np.isfinite(squares)
    blank = np.full(f.shape, np.nan)
    return tuple(np.where(known, values, blank) for values in (f, p, explained))  # type: ignore[return-value]


def _without_rounding(whole: Fit, dtype: np.dtype[Any]) -> Fit:
    """Set residual variances to zero where trials of a combination differ by rounding only."""
    share = max(_ROUNDING, _STEPS * float(np.finfo(dtype).eps))
    size = whole.coefficient[-1] ** 2 + whole.total_variance
    rounding = whole.residual_variance <= share**2 * size
    return replace(whole, residual_variance=np.where(rounding, 0.0, whole.residual_variance))


def _kinds(q: Array, alpha: float) -> NDArray[np.str_]:
    """Return the kind of each neuron and bin; q has the factors first, the interaction last."""
    n_factors = (q[:-1] <= alpha).sum(axis=0)
    kind = np.array(KINDS)[np.minimum(n_factors, 2)]
    kind = np.where(q[-1] <= alpha, KINDS[3], kind)
    return np.asarray(np.where(np.isfinite(q).all(axis=0), kind, ""))


def _shares(kind: NDArray[np.str_]) -> tuple[Array, Array]:
    """Return the share of each kind among the tested neurons, and its bounds."""
    tested = (kind != "").sum(axis=0)
    count = np.stack([(kind == name).sum(axis=0) for name in KINDS])
    share = np.full(count.shape, np.nan)
    bound = np.full((2, *count.shape), np.nan)
    for column in np.flatnonzero(tested):
        share[:, column] = count[:, column] / tested[column]
        for row, number in enumerate(count[:, column]):
            bound[:, row, column] = wilson_interval(float(number), int(tested[column]))
    return share, bound


def _say_untested(tensor: xr.DataArray, kind: NDArray[np.str_], whole: Fit) -> None:
    """Warn of neurons that have no test, or refuse if there is no other.

    Raises
    ------
    TensorError
        If no neuron can be tested.
    """
    lost = (kind == "").all(axis=1)
    same = lost & (whole.residual_variance == 0).any(axis=1)
    few = lost & ~same
    if lost.all():
        message = (
            f"no neuron can be tested: {int(same.sum())} of {lost.size} never vary among trials of "
            "the same levels, to which an F test compares effects (simulate with noise), and "
            f"{int(few.sum())} have too few trials (select more, or leave a factor out)"
        )
        raise TensorError(message)
    for which, why in (
        (same, "never vary among trials of the same levels, but by rounding"),
        (few, "have too few trials"),
    ):
        if which.any():
            names = ", ".join(str(name) for name in tensor["neuron"].values[which][:5])
            warn(
                f"{int(which.sum())} of {lost.size} neurons {why}, and are not tested: {names}"
                f"{', ...' if which.sum() > 5 else ''}"
            )
