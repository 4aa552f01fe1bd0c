"""Codes of the true stimulus that are bent: how well they predict what they were not fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.estimation_noise import Array, JointNoise

NAMES = ("log", "power", "quadratic", "saturating", "sigmoid", "arc")
"""Veridical codes; each has as many free numbers as the estimate (two), or more."""

# Curves are fitted to two thirds of the repeats and tested on the third.
_FITTED_SHARE = 2.0 / 3.0
_DEGENERATE = 1e-6


class Curves(NamedTuple):
    """Curves that are fitted by least squares, each with a constant.

    Attributes
    ----------
    basis : ndarray, shape (curve, condition, column)
        Orthonormal.
    maker : ndarray, shape (curve, condition, condition)
        What is left of distances.
    left : ndarray, shape (curve, condition)
        Its diagonal: how much of a condition does not fit itself.
    """

    basis: Array
    maker: Array
    left: Array


def cross_validated_errors(
    stimulus: Array,
    estimate: Array,
    distance: Array,
    noise: JointNoise,
    reference: float,
    member: NDArray[np.bool_],
    n_repeats: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Error of every code at conditions and repeats it was not fitted to.

    Repeats are parted without the trials: with ``w`` drawn from the noise of the distances,
    ``D + sqrt(a) w`` and ``D - w / sqrt(a)`` are as independent as averages of two parts of the
    trials of which the first is the share ``1 / (1 + a)``.

    Parameters
    ----------
    stimulus, estimate, distance : ndarray, shape (condition,)
    noise : JointNoise
    reference : float
        Stimulus of the reference, from which chords of an arc are measured.
    member : ndarray of bool, shape (condition,)
        Of a second stimulus set.  Bent codes have an offset of their own in it: what tells the
        sets apart, a cue, may move all distances alike.
    n_repeats : int
        How often repeats are parted.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        By "true", "estimate" and `NAMES`, root of the mean squared error in units of distance;
        NaN where a code is not defined (the logarithm of a negative stimulus).
    """
    ratio = 1.0 / _FITTED_SHARE - 1.0
    added = noise.sample(n_repeats, rng)[0]
    fitted_to = distance + np.sqrt(ratio) * added
    tested_on = distance - added / np.sqrt(ratio)
    found = {
        "true": _held_out(_projections(stimulus[None, :, None]), fitted_to, tested_on),
        "estimate": _held_out(_projections(estimate[None, :, None]), fitted_to, tested_on),
    }
    for name in NAMES:
        curves = _curves(name, tuple(stimulus.tolist()), float(reference), tuple(member.tolist()))
        found[name] = np.nan if curves is None else _held_out(curves, fitted_to, tested_on)
    return found


def bent_code_p(
    stimulus: Array,
    estimate: Array,
    distance: Array,
    noise: JointNoise,
    reference: float,
    member: NDArray[np.bool_],
    n_draws: int,
    rng: np.random.Generator,
) -> float:
    """P value of the bent code that fits best, against the estimate.

    Data sets are drawn around that code, and the bent codes and the estimate fitted to each: how
    often the estimate fits so much better, or so little worse, than the best of them.  Parameters
    are those of `cross_validated_errors`.
    """
    of = tuple(stimulus.tolist()), float(reference), tuple(member.tolist())
    bent = [curves.basis for name in NAMES if (curves := _curves(name, *of)) is not None]
    straight = [_projections(estimate[None, :, None]).basis]
    fits = [basis @ (basis.transpose(0, 2, 1) @ distance[:, None]) for basis in bent]
    left = [((distance - fit[:, :, 0]) ** 2).sum(axis=1) for fit in fits]
    best = min(range(len(bent)), key=lambda family: left[family].min())
    drawn = fits[best][left[best].argmin(), :, 0] + noise.sample(n_draws, rng)[0]
    both = np.vstack([distance, drawn])
    better = _explained(straight, both) - _explained(bent, both)
    return float((1 + (better[1:] >= better[0]).sum()) / (1.0 + n_draws))


def _explained(families: list[Array], values: Array) -> Array:
    """Sum of squares of values (draw, condition) that the best of all curves explains."""
    most = np.zeros(len(values))
    for basis in families:
        along = values @ basis.transpose(1, 0, 2).reshape(values.shape[1], -1)
        squares = (along**2).reshape(len(values), len(basis), -1).sum(axis=2)
        most = np.maximum(most, squares.max(axis=1))
    return most


def _held_out(curves: Curves, fitted_to: Array, tested_on: Array) -> float:
    """Error at one condition of the curve that fits the others best, over all conditions.

    What a line through the others misses at one condition follows from the residuals of all.
    """
    shape = (len(fitted_to), *curves.left.shape)
    residual = (fitted_to @ curves.maker.reshape(-1, shape[2]).T).reshape(shape)
    missed = residual / curves.left
    squared = (residual**2).sum(axis=2, keepdims=True) - residual * missed
    best = squared.argmin(axis=1)[:, None, :]
    predicted = fitted_to - np.take_along_axis(missed, best, axis=1)[:, 0]
    return float(np.sqrt(np.mean((tested_on - predicted) ** 2)))


@lru_cache(maxsize=64)
def _curves(
    name: str, stimulus: tuple[float, ...], reference: float, member: tuple[bool, ...]
) -> Curves | None:
    """All curves of a family; None where it is not defined."""
    s = np.array(stimulus)
    if name in ("log", "power") and s.min() <= 0:
        return None
    columns = np.stack(list(_FAMILIES[name](s, reference)))
    if any(member):
        offset = np.broadcast_to(
            np.array(member, dtype=np.float64)[:, None], (*columns.shape[:2], 1)
        )
        columns = np.concatenate([columns, offset], axis=2)
    return _projections(columns)


def _projections(columns: Array) -> Curves:
    """From columns (curve, condition, column) what least squares takes, leaves, and of each.

    Curves that hang on a single condition are left out.
    """
    scale = columns - columns.mean(axis=1, keepdims=True)
    scale = scale / np.maximum(np.abs(scale).max(axis=1, keepdims=True), 1e-300)
    design = np.concatenate([np.ones((*scale.shape[:2], 1)), scale], axis=2)
    maker = np.eye(scale.shape[1]) - design @ np.linalg.pinv(design)
    left = np.einsum("ckk->ck", maker)
    usable = (left > _DEGENERATE).all(axis=1)
    return Curves(np.linalg.qr(design).Q[usable], maker[usable], left[usable])


def _log(s: Array, reference: float) -> Iterator[Array]:
    del reference
    yield np.log(s)[:, None]


def _power(s: Array, reference: float) -> Iterator[Array]:
    del reference
    for exponent in np.linspace(-3.0, 4.0, 29):
        yield (np.log(s) if exponent == 0 else (s / s.mean()) ** exponent)[:, None]


def _quadratic(s: Array, reference: float) -> Iterator[Array]:
    del reference
    unit = (s - s.mean()) / np.ptp(s)
    yield np.column_stack([unit, unit**2])


def _saturating(s: Array, reference: float) -> Iterator[Array]:
    del reference
    for constant in np.geomspace(0.1, 10.0, 30):
        yield np.exp(-(s - s.min()) / (constant * np.ptp(s)))[:, None]


def _sigmoid(s: Array, reference: float) -> Iterator[Array]:
    del reference
    for center in np.linspace(s.min(), s.max(), 11):
        for width in np.geomspace(0.15, 4.0, 10):
            yield np.tanh((s - center) / (width * np.ptp(s)))[:, None]


def _arc(s: Array, reference: float) -> Iterator[Array]:
    """Signed chords from the reference of an arc, or its shadow on a line.

    The chord to the farthest stimulus is at most that of half a turn, the shadow of 135 degrees.
    """
    farthest = np.abs(s - reference).max()
    for angle in np.linspace(0.1, 1.5, 35) * np.pi:
        yield np.sin(0.5 * angle * (s - reference) / farthest)[:, None]


_FAMILIES = {
    "log": _log,
    "power": _power,
    "quadratic": _quadratic,
    "saturating": _saturating,
    "sigmoid": _sigmoid,
    "arc": _arc,
}
