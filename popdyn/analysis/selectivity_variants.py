"""Tests of neighbor angles by name: ours, and each published one as its code has it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.selectivity_angles import (
    angle_of_mean_cosine,
    as_given,
    centered,
    covariance_whitened,
    mean_angle,
    neighbor_angles,
    robustly_whitened,
)
from popdyn.errors import TensorError

Array = NDArray[np.float64]


class Variant(NamedTuple):
    """What a test of neighbor angles does.

    Attributes
    ----------
    prepare : function
        Done to the vectors first.
    null : {"own", "isotropic", "covariance", "diagonal"}
        Gaussian vectors to compare with: prepared as the data, isotropic and left so, with the
        covariance of the prepared data, or with its diagonal.
    n_neighbors : int or None
        Neighbors by default; None searches for the number.
    counts_itself : bool
        Whether a neuron is the first of its own neighbors.
    average : function
        Turns angles to the neighbors into one.
    p : {"monte_carlo", "share", "normal", "rank_sum"}
        Where p comes from: the median among those of the null, with 1 added or not; the index
        among those of the null, taken as normal; the angles of neurons among all those of the null.
    center : {"mean_of_medians", "median", "mean"}
        What of the angles of the null an index compares with: the mean of the medians of draws,
        or the median or mean of all angles.
    """

    prepare: Callable[[Array], Array]
    null: str
    n_neighbors: int | None = 3
    counts_itself: bool = False
    average: Callable[[Array], Array] = mean_angle
    p: str = "monte_carlo"
    center: str = "mean_of_medians"

    @property
    def is_pivotal(self) -> bool:
        """Whether the null depends on nothing but the numbers of neurons and features."""
        return self.null in ("own", "isotropic")

    def angles(self, vectors: Array, n_neighbors: int) -> Array:
        """Angle to the neighbors of each prepared vector ``(neuron)``."""
        return self.average(neighbor_angles(vectors, n_neighbors - self.counts_itself))


_DUBREUIL = Variant(
    covariance_whitened, "isotropic", average=angle_of_mean_cosine, p="rank_sum", center="median"
)
VARIANTS = {
    "epairs": {
        "default": Variant(robustly_whitened, "own"),
        "covariance": Variant(covariance_whitened, "own"),
        "hirokawa2019": Variant(centered, "covariance", n_neighbors=1, p="rank_sum", center="mean"),
        "dubreuil2022": _DUBREUIL,
        "dubreuil2022_full": _DUBREUIL._replace(prepare=centered, null="covariance"),
        "dubreuil2022_diagonal": _DUBREUIL._replace(prepare=centered, null="diagonal"),
    },
    "pairs": {
        "default": Variant(as_given, "isotropic"),
        "raposo2014": Variant(as_given, "isotropic", n_neighbors=None, p="share"),
        "hocker2021": Variant(
            covariance_whitened, "isotropic", counts_itself=True, p="normal", center="median"
        ),
    },
}


# What the other tests are called.
OTHERS = {
    "cluster": ("default",),
    "bingham": ("default", "covariance", "dubreuil2022", "dubreuil2022_aligned"),
}


def check_names(method: str, variant: str) -> None:
    """Refuse a test that there is not.

    Raises
    ------
    TensorError
        With the names that there are.
    """
    methods = {**{name: tuple(own) for name, own in VARIANTS.items()}, **OTHERS}
    _check_name("method", method, tuple(methods))
    _check_name(f"variant of {method!r}", variant, methods[method])


def _check_name(what: str, name: str, names: tuple[str, ...]) -> None:
    """Refuse a name that is none, with the one nearest to it."""
    if name not in names:
        near = difflib.get_close_matches(str(name), names, 1)
        hint = f" (do you mean {near[0]!r}?)" if near else ""
        message = f"{what} is one of {', '.join(map(repr, names))}; found {name!r:.60}{hint}"
        raise TensorError(message)
