"""The tests of neighbor angles: PAIRS, ePAIRS and their variants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.selectivity_angles import centered, filled_axes
from popdyn.analysis.selectivity_errors import noisy_clouds
from popdyn.analysis.selectivity_input import Loadings
from popdyn.analysis.selectivity_judged import judged
from popdyn.analysis.selectivity_null import (
    described,
    draw_rows,
    drawn_again,
    enough_neighbors,
    gaussian_draw,
    pivotal_null,
)
from popdyn.analysis.selectivity_variants import Variant
from popdyn.errors import TensorError, warn
from popdyn.resample import Seed
from popdyn.simulation.arguments import check_whole

Array = NDArray[np.float64]

_RADIANS = {"units": "rad"}
_TARGET = np.pi / 4


def neighbor_test(
    given: Loadings,
    test: Variant,
    n_neighbors: int | None,
    n_draws: int,
    rng: Seed,
    n_jobs: int | None,
) -> tuple[dict[str, Any], dict[str, int]]:
    """Compare the angles to nearest neighbors with those of a null.

    Parameters
    ----------
    given : Loadings
        The data.
    test : Variant
        The test.
    n_neighbors : int or None
        Neighbors, if not those of the variant.
    n_draws, rng, n_jobs
        As for `popdyn.selectivity_test`.

    Returns
    -------
    variables : dict
        Of the result.
    said : dict
        What there is to say of it.
    """
    prepared = prepare(given, test)
    k = _neighbors(test, n_neighbors, prepared.shape)
    angle = test.angles(prepared, k)
    pooled = None
    if given.error is not None:
        clouds = noisy_clouds(given.values, given.error)
        draw = drawn_again(lambda own: test.angles(test.prepare(clouds(own)), k))
        pooled = draw_rows(draw, n_draws, rng, n_jobs)
    elif not test.is_pivotal or test.p == "rank_sum":
        pooled = draw_rows(gaussian_draw(test, prepared, k), n_draws, rng, n_jobs)
    if pooled is None:
        null = pivotal_null(test, prepared.shape, k, n_draws, rng, n_jobs)
    else:
        null = described(pooled)
    of_all = np.full(given.known.size, np.nan)
    of_all[given.known] = angle
    variables = {"angle": ("neuron", of_all, _RADIANS), **judged(test, angle, null, pooled)}
    return variables, {"n_neighbors": k, "n_features": prepared.shape[1]}


def prepare(given: Loadings, test: Variant) -> Array:
    """Prepare the vectors, and see how many dimensions they fill.

    Raises
    ------
    TensorError
        If they fill too few for this test.
    """
    n_features = given.values.shape[1]
    filled = filled_axes(centered(given.values)).shape[1]
    prepared = test.prepare(given.values) if filled > 1 else given.values
    reduced = prepared.shape[1] < n_features and given.error is None
    if filled < 2 or (filled < n_features and not reduced):
        message = (
            f"the loadings fill {filled} of {n_features} dimensions: leave out features that "
            "follow from others or are the same for all neurons"
        )
        raise TensorError(message)
    if filled < n_features:
        warn(
            f"the loadings fill {filled} of {n_features} dimensions, because features follow from "
            f"others or are the same for all neurons: {filled} are tested"
        )
    return prepared


def _neighbors(test: Variant, n_neighbors: Any, shape: tuple[int, ...]) -> int:
    """Give the number of neighbors."""
    n_neurons, n_features = shape
    if n_neighbors is None:
        n_neighbors = test.n_neighbors
        if n_neighbors is None:
            return enough_neighbors((n_neurons, n_features), _TARGET)
    least = 1 + test.counts_itself
    check_whole("n_neighbors", n_neighbors, "neighbor")
    if not least <= n_neighbors < n_neurons:
        message = (
            f"n_neighbors must be from {least} to {n_neurons - 1}, less than the {n_neurons} "
            f"neurons, found {n_neighbors}"
        )
        raise TensorError(message)
    return int(n_neighbors)
