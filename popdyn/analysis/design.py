"""Which columns of the trial table explain activity: the design matrix of a regression.

Names, interactions and formulas become numbers, one row per trial, and what cannot be told apart
on these trials is refused before it is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.design_columns import (
    checked_regressors,
    columns_of_formula,
    columns_of_names,
    factors_of,
    with_trial_ids,
)
from popdyn.errors import TensorError, warn
from popdyn.tensor.roles import assign_roles
from popdyn.tensor.view import trial_table

Array = NDArray[np.float64]

INTERCEPT = "intercept"
# Below this share of its own variance a regressor is nothing but the others, in double precision.
_OWN_SHARE = 1e-10


@dataclass(frozen=True, eq=False)
class Design:
    """The design matrix of a regression on trials.

    Attributes
    ----------
    matrix : ndarray, shape (trial, regressor)
        One row per trial that is kept; the intercept is the last column.
    names : tuple of str
        One per column, ``"intercept"`` last.
    term : tuple of str
        The term each column belongs to: a regressor with three levels has two columns.
    kept : ndarray of int, shape (trial,)
        Positions of these trials in the tensor.
    units : tuple of str
        Unit of each column; ``"1"`` where the column was coded.
    """

    matrix: Array
    names: tuple[str, ...]
    term: tuple[str, ...]
    kept: NDArray[np.intp]
    units: tuple[str, ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms in their order, without the intercept."""
        return tuple(dict.fromkeys(term for term in self.term if term != INTERCEPT))

    def columns(self, term: str) -> NDArray[np.intp]:
        """Positions of the columns of a term."""
        return np.flatnonzero(np.array(self.term) == term)


def make_design(
    tensor: xr.DataArray | xr.Dataset,
    regressors: str | Sequence[str],
    roles: Mapping[str, Any] | None = None,
    levels: Mapping[str, Sequence[Any]] | None = None,
) -> Design:
    """Turn columns of the trial table into a design matrix.

    Parameters
    ----------
    tensor : DataArray or Session
        Anything with a trial table.
    regressors : str or sequence of str
        Trial columns (or roles), ``"trial"`` for the trials' ids, and interactions such as
        ``"choice:context"``.  Numbers are
        taken as `trial_table` gives them (times in s).  Text and booleans with two levels become
        -1 and +1 in sorted order, with more levels sum coding (one column per level but the
        last).  A string that is no column is a formula in the language of patsy
        (``"stimulus * C(context)"``), with patsy's coding.
    roles : mapping, optional
        As for `trial_table`.
    levels : mapping, optional
        Column to its levels in the wanted order; a number may be made categorical this way.

    Returns
    -------
    Design
        The intercept last, without trials in which a regressor is missing.

    Raises
    ------
    TensorError
        If a column is unknown, infinite or has one value, the formula cannot be read, has a left
        side or leaves the intercept out, levels are given of what is no regressor, or no trial
        has all regressors.

    Warns
    -----
    PopdynWarning
        When trials lack a regressor and are left out.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> trials = {"choice": ["left", "right", "left", "right"], "coherence": [0.1, 0.1, 0.5, 0.5]}
    >>> x = pdn.make_tensor(np.ones((1, 1, 4)), [0.0], trials=trials, bin_width=0.1)
    >>> design = make_design(x, ["choice", "coherence"])
    >>> design.names, design.matrix[0].tolist()
    (('choice', 'coherence', 'intercept'), [-1.0, 0.1, 1.0])
    """
    x = tensor if roles is None else assign_roles(tensor, roles)
    table = with_trial_ids(trial_table(x))
    wanted = checked_regressors(regressors)
    if isinstance(wanted, str) and factors_of(wanted, table) is None:
        matrix, names, term, units = columns_of_formula(wanted, x, table, levels or {})
    else:
        wanted = [wanted] if isinstance(wanted, str) else wanted
        matrix, names, term, units = columns_of_names(wanted, x, table, levels or {})
    finite = np.isfinite(matrix)
    known = np.asarray(finite.all(axis=1))
    if not known.any():
        message = (
            f"no trial has a value of every regressor ({', '.join(dict.fromkeys(term))}) among "
            f"{len(known)} trials: leave one of them out, or select other trials"
        )
        raise TensorError(message)
    if not known.all():
        whole = np.asarray(finite.all(axis=0))
        lacking = dict.fromkeys(name for name, full in zip(term, whole, strict=True) if not full)
        warn(
            f"{int((~known).sum())} of {known.size} trials have no value of "
            f"{', '.join(lacking)} and are left out of the regression"
        )
    kept = np.flatnonzero(known)
    design = Design(
        np.column_stack([matrix[kept], np.ones(kept.size)]),
        (*names, INTERCEPT),
        (*term, INTERCEPT),
        kept,
        (*units, "1"),
    )
    _refuse_constant(design)
    return design


def refuse_confounded(design: Design) -> None:
    """Refuse regressors whose effects these trials cannot tell apart.

    Beside what is exactly collinear these are pairs in which a threshold on one regressor gives
    the other: on correct trials the choice is the sign of the stimulus, and a straight line
    through the stimulus is all that tells them apart.

    Parameters
    ----------
    design : Design
        From `make_design`.

    Raises
    ------
    TensorError
        Naming the confounded regressors.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> trials = {"choice": [-1, -1, 1, 1], "stimulus": [-2.0, -1.0, 1.0, 2.0]}
    >>> x = pdn.make_tensor(np.ones((1, 1, 4)), [0.0], trials=trials, bin_width=0.1)
    >>> refuse_confounded(make_design(x, ["choice", "stimulus"]))
    Traceback (most recent call last):
        ...
    popdyn.errors.TensorError: 'choice' follows from the sign of 'stimulus' on all 4 trials...
    """
    refuse_collinear(design)
    sentence = threshold_sentence(design)
    if sentence:
        raise TensorError(sentence)


def refuse_collinear(design: Design) -> None:
    """Refuse regressors that are sums of multiples of the others.

    Parameters
    ----------
    design : Design
        From `make_design`.

    Raises
    ------
    TensorError
        Naming the regressors involved, or when there are as many regressors as trials.
    """
    n_trials, n_columns = design.matrix.shape
    if n_trials <= n_columns:
        message = (
            f"{n_columns} coefficients ({', '.join(design.names)}) need more than {n_columns} "
            f"trials, found {n_trials}: leave regressors out, or select more trials"
        )
        raise TensorError(message)
    centered = design.matrix[:, :-1] - design.matrix[:, :-1].mean(axis=0)
    scaled = centered / np.linalg.norm(centered, axis=0)
    _, singular, right = np.linalg.svd(scaled, full_matrices=False)
    # The share of a regressor that is its own is at least the smallest singular value squared.
    null = right[singular**2 < _OWN_SHARE]
    if not null.size:
        return
    involved = np.abs(null[-1]) > 1e-3 * np.abs(null[-1]).max()
    named = [f"{name!r}" for name, own in zip(design.names[:-1], involved, strict=True) if own]
    how = (
        f"{named[0]} and {named[1]} are the same up to sign, scale and offset"
        if len(named) == 2
        else f"{', '.join(named[:-1])} and {named[-1]} are tied: each is a sum of the others"
    )
    message = (
        f"{how} on all {n_trials} trials, so that no regression can tell their effects apart: "
        "leave one of them out, or add trials on which they differ (error trials, say)"
    )
    raise TensorError(message)


def threshold_sentence(design: Design) -> str:
    """Say which two-valued regressor follows from a threshold on another; "" if none does.

    Parameters
    ----------
    design : Design
        From `make_design`.

    Returns
    -------
    str
        A sentence for an error or a warning.
    """
    main = [
        i
        for i, term in enumerate(design.term[:-1])
        if design.term.count(term) == 1 and ":" not in term
    ]
    for binary in main:
        values = design.matrix[:, binary]
        if np.unique(values).size != 2:
            continue
        high = values == values.max()
        for other in main:
            graded = design.matrix[:, other]
            if other == binary or np.unique(graded).size < 3:
                continue
            below, above = _apart(graded, high)
            if below < above:
                rule = "the sign" if below < 0 < above else f"a threshold ({below:g} or {above:g})"
                return (
                    f"{design.names[binary]!r} follows from {rule} of {design.names[other]!r} on "
                    f"all {len(values)} trials, so that an effect of one could be a bent response "
                    "to the other: add trials on which they disagree (error trials, say), or "
                    "leave one of them out"
                )
    return ""


def _apart(graded: Array, high: NDArray[np.bool_]) -> tuple[float, float]:
    """Largest value of the lower group and smallest of the upper one, whichever way round."""
    if graded[high].mean() > graded[~high].mean():
        return float(graded[~high].max()), float(graded[high].min())
    return float(graded[high].max()), float(graded[~high].min())


def _refuse_constant(design: Design) -> None:
    """Refuse a regressor with one value: it is the intercept."""
    columns = design.matrix[:, :-1]
    spread = np.ptp(columns, axis=0)
    constant = np.flatnonzero(spread <= 1e-12 * np.abs(columns).max(axis=0))
    if constant.size:
        first = constant[0]
        message = (
            f"regressor {design.names[first]!r} has one value only ({columns[0, first]:g}) on the "
            f"{len(columns)} trials used, so that its effect cannot be told from the intercept: "
            "add trials with another value, or leave it out"
        )
        raise TensorError(message)
