"""What demixed components explain, of which part, and how their axes lie to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.dpca_solve import Components, Products, cumulative, explained
from popdyn.analysis.dpca_terms import Marginalization

Array = NDArray[np.float64]
_ONE = {"units": "1"}


def describe(
    found: Components, known: Products, chosen: Sequence[Marginalization]
) -> dict[str, Any]:
    """Variables that follow from averages alone.

    Parameters
    ----------
    found : Components
        The components.
    known : Products
        Of the averages.
    chosen : sequence of Marginalization
        The marginalizations.

    Returns
    -------
    dict
        As for a Dataset.
    """
    power = known.power
    names = np.array([one.name for one in chosen], dtype=np.str_)
    n = len(found.index)
    eigenvalues = np.maximum(np.linalg.eigvalsh(known.total)[::-1], 0.0)
    by_part = np.stack([explained(found, own) for own in known.of_part], axis=1)
    state = found.decoder @ known.total @ found.decoder.T
    size = np.sqrt(np.maximum(np.diag(state), np.finfo(np.float64).tiny))
    overlap = found.encoder @ found.encoder.T
    return {
        "marginalization_of": ("component", names[found.index]),
        "explained_variance_ratio": ("component", explained(found, known.total) / power, _ONE),
        "ratio_by_marginalization": (("component", "marginalization"), by_part / power, _ONE),
        "cumulative_ratio": ("component", cumulative(found, known.total) / power, _ONE),
        "pca_cumulative_ratio": ("component", _padded(eigenvalues.cumsum() / power, n), _ONE),
        "marginal_ratio": (
            "marginalization", np.array([part.power() for part in known.parts]) / power, _ONE,
        ),
        "total_variance": ((), power),
        "encoder_overlap": (("component", "component_2"), overlap, _ONE),
        "state_correlation": (
            ("component", "component_2"), state / size / size[:, None], _ONE,
        ),
        "not_orthogonal": (("component", "component_2"), _not_orthogonal(found, overlap)),
    }  # fmt: skip


def _padded(values: Array, n: int) -> Array:
    """Take the first n values; past the last, the last."""
    return np.asarray(values[np.minimum(np.arange(n), len(values) - 1)])


def _not_orthogonal(found: Components, overlap: Array) -> NDArray[np.bool_]:
    """Pairs whose encoders lean on each other: the rule of the reference.

    A product of more than 3.3 over the root of the number of neurons (p < 0.001 for random
    directions) and a Kendall correlation with p < 0.001.
    """
    from scipy.stats import kendalltau  # slow to import, and only wanted here

    n, n_neurons = found.encoder.shape
    marked = np.zeros((n, n), dtype=bool)
    large = np.abs(np.triu(overlap, 1)) > 3.3 / np.sqrt(n_neurons)
    for first, second in np.argwhere(large):
        p = kendalltau(found.encoder[first], found.encoder[second]).pvalue
        marked[first, second] = marked[second, first] = p < 0.001
    return marked
