"""Do two epochs, or two areas, use the same directions?  Principal angles and alignment.

Angles after Björck and Golub (1973); the alignment index, and the null of random subspaces with
the covariance of the data, after Elsayed et al. (2016, Nature Communications 7:13239).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.statespace_samples import same_neurons
from popdyn.analysis.statespace_splits import error_bounds
from popdyn.analysis.subspace_angles import (
    alignment_index,
    axes_of,
    covariance_of,
    orthonormal,
    principal_angles,
)
from popdyn.analysis.subspace_null import drawn_subspaces
from popdyn.analysis.subspace_sides import (
    SPACES,
    Epochs,
    Side,
    centered_pair,
    epochs_of,
    is_loading,
    loading_axes,
    pair_of,
)
from popdyn.analysis.subspace_splits import jackknife_overlap, split_overlap
from popdyn.analysis.trials import Array, is_average
from popdyn.errors import FitError, TensorError, warn
from popdyn.resample import BOUND, Seed, as_generator, spawn, upper_p_value
from popdyn.tensor.contract import check, check_average
from popdyn.tensor.result import digest, make_result

_RADIANS = {"units": "rad"}
_ONE = {"units": "1"}
_SMALLEST = 1e-9  # spread of a null: less is rounding


def subspace_overlap(
    a: xr.DataArray | xr.Dataset,
    b: xr.DataArray | xr.Dataset | None = None,
    *,
    by: str | Sequence[str] | None = None,
    epochs: Epochs | None = None,
    n_components: int = 10,
    space: str = "neuron",
    covariance: xr.DataArray | xr.Dataset | Array | str | None = None,
    n_splits: int = 20,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Compare the subspaces in which two sets of averages move.

    Parameters
    ----------
    a, b : DataArray or Dataset
        Two tensors (neuron, time, trial), two condition averages, or two sets of loadings
        (component, neuron).  Spike counts become rates.  Samples with a NaN in some neuron take
        no part.  Normalize and smooth the whole before cutting epochs out of it.
    by : str or list of str, optional
        Trial columns that define the conditions of tensors.
    epochs : mapping of two names to (start, stop), optional
        Two epochs of `a` (seconds, bins whose centers lie in them), instead of `b`.
    n_components : int, default 10
        Dimensions of the subspaces; loadings have their own.
    space : {"neuron", "sample"}
        What the axes run over: the neurons, which have to be the same, or the samples (time and
        condition), which have to match: for areas or sources whose neurons differ.
    covariance : "both", tensor, condition average or array (neuron, neuron), optional
        Makes random patterns with this covariance the null, ``"both"`` with that of `a` and `b`
        together, instead of the default (see Notes).
    n_splits : int, default 20
        Splits of the trials in halves.
    n_draws : int, default 1000
        Draws of the null.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Returns
    -------
    Dataset
        ``principal_angle (component)`` in rad, rising, with ``null_principal_angle (draw,
        component)``; ``alignment_index``, the variance of `b` along the axes of `a` as a share
        of the most that so many axes can hold, ``alignment_index_reverse`` with `a` and `b`
        exchanged, ``null_alignment_index (draw)``; ``p_higher``, ``p_lower`` and the two-sided
        ``p`` of the index.  With trials ``cross_validated_index``, the overlap without the noise
        (1: the same subspace), ``between_angle (component)`` of halves of `a` and `b`,
        ``within_angle (component)`` of halves of the same, and bounds.

    Raises
    ------
    TensorError
        If the neurons (or the samples) do not match, or an argument is out of range.
    FitError
        If there are fewer neurons or samples than components, or nothing varies.

    Warns
    -----
    PopdynWarning
        When neurons are NaN throughout, conditions take no part because a neuron has no trial
        there, there are too few trials for halves or bounds, or the null never changes.

    Notes
    -----
    *Null*: `a` keeps its axes, made unrelated to `b`.  Over neurons the sign of every neuron is
    turned at random: by chance the same neurons take part as much as they do, with signs that
    have nothing to do with each other.  (The test is exact where that is so, noise or not.)  Over
    samples the courses are moved in time, given to other conditions and turned in sign.
    ``p_higher``, ``p_lower`` and ``p`` are of the index against it.

    ``covariance="both"`` is the published null: random patterns of the space that both fill.  It
    asks a narrower question: two unrelated subspaces of few dimensions fill a space of their own,
    in which they always lie far apart, and its ``p_lower`` and ``p`` are small for them, too.
    Against directions of a larger space, give the covariance of that space (all trials of the
    whole session, or ``numpy.eye`` for directions that are all alike).

    *Without noise*: axes of one half of the trials, signal variance between quarters of the other
    half: ``(V_ab + V_ba) / (V_aa + V_bb)``, with ``V_ab`` the share of the signal variance of `b`
    along axes of `a`.  Noise in the axes lowers both sums alike.  Chance may take it below 0 and
    above 1.

    *Bounds* (95 %): Student intervals from leaving out a tenth of the trials in turn, as for
    `popdyn.PCA`; NaN with fewer than four trials in a condition.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> loading = np.random.default_rng(0).normal(size=(2, 20))
    >>> same = pdn.subspace_overlap(loading, loading, n_draws=100)
    >>> round(float(same["alignment_index"]), 6), bool(same["p_higher"] < 0.05)
    (1.0, True)
    """
    _check_arguments(n_components, n_splits, n_draws, space)
    generator, seed = as_generator(rng)
    names = list(epochs) if epochs is not None else ["a", "b"]
    a, b = _two(a, b, epochs)
    parameters = {
        "by": by, "epochs": epochs, "n_components": n_components, "space": space,
        "covariance": covariance if covariance is None or isinstance(covariance, str) else "given",
        "n_splits": n_splits, "n_draws": n_draws,
    }  # fmt: skip
    with threadpool_limits(limits=1, user_api="blas"):
        if is_loading(a):
            variables = _of_loadings(a, b, covariance, n_draws, generator)
            source: xr.DataArray | xr.Dataset = xr.Dataset(
                attrs={"input_digest": digest(loading_axes(a))}
            )
        else:
            first, second = pair_of(a, b, by, space)
            variables = _of_averages(
                first, second, n_components, space, covariance, n_draws, generator
            )
            if first.trials is not None:
                splits = spawn(generator, n_splits)
                variables |= _without_noise(
                    first, second, variables, n_components, space, splits, generator
                )
            source = first.average
    n = variables["principal_angle"][1].shape[0]
    result = make_result(
        variables,
        coords={
            "component": np.arange(1, n + 1), "draw": np.arange(n_draws), "bound": BOUND,
        },
        method="subspace_overlap",
        parameters=parameters,
        source=source,
        seed=seed,
    )  # fmt: skip
    return result.assign_attrs(first=str(names[0]), second=str(names[1]), space=space)


def _check_arguments(n_components: int, n_splits: int, n_draws: int, space: str) -> None:
    """Refuse arguments out of range."""
    if not isinstance(n_components, (int, np.integer)) or n_components < 1:
        message = f"n_components must be an integer of at least 1, found {n_components!r}"
        raise TensorError(message)
    if n_splits < 1 or n_draws < 1:
        message = f"expected n_splits and n_draws >= 1, found {n_splits} and {n_draws}"
        raise TensorError(message)
    if space not in SPACES:
        message = f"space is one of {', '.join(map(repr, SPACES))}; found {space!r}"
        raise TensorError(message)


def _two(a: Any, b: Any, epochs: Epochs | None) -> tuple[Any, Any]:
    """Give the two things to compare."""
    if (b is None) == (epochs is None):
        message = (
            "expected two things to compare: give b, or epochs={name: (start, stop), ...} of a, "
            f"found {'neither' if b is None else 'both'}"
        )
        raise TensorError(message)
    if epochs is not None:
        return epochs_of(check_average(a) if is_average(a) else check(a), epochs)
    if is_loading(a) != is_loading(b):
        message = "expected loadings on both sides or on none, found one of each"
        raise TensorError(message)
    return a, b


def _of_loadings(
    a: Any, b: Any, covariance: Any, n_draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Compare given directions, all alike in variance."""
    first, second = loading_axes(a), loading_axes(b)
    if set(first["neuron"].to_numpy().tolist()) != set(second["neuron"].to_numpy().tolist()):
        message = (
            "expected loadings on the same neurons, found "
            f"{first.sizes['neuron']} and {second.sizes['neuron']} neurons with other ids"
        )
        raise TensorError(message)
    second = same_neurons(second, first["neuron"])
    axes, of_b = orthonormal(first.to_numpy()), orthonormal(second.to_numpy())
    if not axes.shape[1] or not of_b.shape[1]:
        message = "all loadings of one side are 0: they have no direction"
        raise FitError(message)
    found = axes @ axes.T, of_b @ of_b.T
    drawn = drawn_subspaces(axes, found, covariance, None, first["neuron"], n_draws, rng)
    return _compared((axes, of_b), found, drawn)


def _of_averages(
    first: Side,
    second: Side,
    n_components: int,
    space: str,
    covariance: Any,
    n_draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Compare the main axes of averages."""
    (a,), (b,) = centered_pair([first.matrix], [second.matrix], space)
    for matrix in (a, b):
        _check_size(matrix, n_components, space)
    axes, found = axes_of(a, n_components), (covariance_of(a), covariance_of(b))
    complete = _complete(first, second) if space == "sample" else None
    neurons = first.average["neuron"]
    drawn = drawn_subspaces(axes, found, covariance, complete, neurons, n_draws, rng)
    return _compared((axes, axes_of(b, n_components)), found, drawn)


def _complete(first: Side, second: Side) -> NDArray[np.bool_]:
    """Tell which samples (time, condition) every neuron of both sides knows."""
    order = ("neuron", "time", "condition")
    known = [
        np.isfinite(side.average.transpose(*order).to_numpy()).all(axis=0)
        for side in (first, second)
    ]
    return np.asarray(known[0] & known[1])


def _check_size(matrix: Array, n_components: int, space: str) -> None:
    """Refuse averages that do not fill the subspace."""
    n_features, n_other = matrix.shape
    n_neurons, n_samples = (n_features, n_other) if space == "neuron" else (n_other, n_features)
    if n_samples <= n_components or n_neurons < n_components:
        message = (
            f"{n_components} components need as many neurons and more samples in which no neuron "
            f"is NaN, found {n_neurons} neurons and {n_samples} samples: ask for fewer components"
        )
        raise FitError(message)
    if not matrix.any():
        message = "no neuron varies over time and conditions on one side: it has no subspace"
        raise FitError(message)


def _compared(
    axes: tuple[Array, Array], covariances: tuple[Array, Array], drawn: Array
) -> dict[str, Any]:
    """Angles and indices with their null (draw, feature, component)."""
    index = float(alignment_index(axes[0], covariances[1]))
    null = alignment_index(drawn, covariances[1])
    if np.ptp(null) < _SMALLEST and len(null) > 1:
        message = (
            "the null of the alignment index never changes, because the two use other neurons, "
            "lie along single ones or fill the whole space: p says nothing. Give covariance= "
            "(numpy.eye of the number of neurons for directions that are all alike)"
        )
        warn(message)
    higher = float(upper_p_value(index, null))
    lower = float(upper_p_value(-index, -null))
    return {
        "principal_angle": ("component", principal_angles(*axes), _RADIANS),
        "null_principal_angle": (
            ("draw", "component"), principal_angles(drawn, axes[1]), _RADIANS,
        ),
        "alignment_index": ((), index, _ONE),
        "alignment_index_reverse": (
            (), float(alignment_index(axes[1], covariances[0])), _ONE,
        ),
        "null_alignment_index": ("draw", null, _ONE),
        "p_higher": ((), higher, _ONE),
        "p_lower": ((), lower, _ONE),
        "p": ((), min(1.0, 2.0 * min(higher, lower)), _ONE),
    }  # fmt: skip


def _without_noise(
    first: Side,
    second: Side,
    variables: dict[str, Any],
    n_components: int,
    space: str,
    splits: list[np.random.Generator],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Cross-validated overlap, and bounds."""
    split = split_overlap(first, second, n_components, space, splits)
    if not np.isfinite(split[0]):
        message = (
            "the overlap without noise needs quarters of the trials with more neurons and samples "
            "than components, and signal in them; it is NaN here"
        )
        warn(message)
    error, n_groups = jackknife_overlap(first, second, n_components, space, splits, rng)
    k = n_components
    angle = variables["principal_angle"][1]
    bound = error_bounds(np.concatenate([split, angle]), error, n_groups)
    over = ("bound", "component")
    right = np.pi / 2
    return {
        "cross_validated_index": ((), float(split[0]), _ONE),
        "cross_validated_index_bound": ("bound", bound[:, 0], _ONE),
        "between_angle": ("component", split[1 : 1 + k], _RADIANS),
        "between_angle_bound": (over, bound[:, 1 : 1 + k].clip(0.0, right), _RADIANS),
        "within_angle": ("component", split[1 + k : 1 + 2 * k], _RADIANS),
        "within_angle_bound": (over, bound[:, 1 + k : 1 + 2 * k].clip(0.0, right), _RADIANS),
        "principal_angle_bound": (over, bound[:, 1 + 2 * k :].clip(0.0, right), _RADIANS),
    }
