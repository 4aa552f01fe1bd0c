"""Do groups of selectivity agree between sources?  Neurons of one in the mixture of the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.analysis.selectivity_clusters import Number, number_of_groups
from popdyn.analysis.selectivity_groups import (
    Groups,
    compare,
    groups_of,
    partners,
    random_turn,
    rounded,
)
from popdyn.analysis.selectivity_sources import Source, most_groups, neurons_needed, sources_of
from popdyn.errors import FitError, TensorError, warn
from popdyn.progress import watched
from popdyn.resample import Seed, as_generator, spawn, upper_p_value
from popdyn.simulation.arguments import check_whole
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

_LARGEST = 8
_N_SPLITS = 25
_PAIR = ("source", "source_2")
# Of a normal, for 95 %.
_WIDTH = 1.96


def selectivity_agreement(
    sources: Any,
    n_clusters: int | None = None,
    *,
    by: str | None = None,
    n_draws: int = 999,
    rng: Seed = 0,
) -> xr.Dataset:
    """Test whether groups of neurons of several sources stand for the same.

    A mixture of Gaussians is fitted to the loadings of each source.  The neurons of one are then
    put into the groups of the other: are those together that its own mixture puts together?

    Parameters
    ----------
    sources : mapping of str to loadings, or loadings
        Two or more sources with the same features and other neurons: each an ndarray (neuron,
        feature), a DataArray, or a Dataset of `encoding` with the same regressors at one time (or
        all of `dynamics.populations`), as for `selectivity_test`.  Named features are brought into
        one order; those without names are in the order of the first.
    n_clusters : int, optional
        Groups of each source; by default the number that predicts held-out neurons best, the
        largest of all sources for which each has neurons enough (twice as many for each group as
        there are features, and two more), and at least 2.
    by : str, optional
        Of one DataArray or Dataset: the column of neurons, ``"area"`` for instance, that tells
        sources apart.  Those with too few neurons are left out.
    n_draws : int
        Draws of the null.
    rng : int or numpy.random.Generator
        Seed or generator.

    Returns
    -------
    Dataset
        ``agreement (source, source_2)``, the adjusted Rand index of the groups of both (1: the
        same, 0: by chance), over the neurons of each, averaged; ``agreement_bound (bound, source,
        source_2)``, 95 % over neurons; ``p``, one-sided, among ``null_agreement (draw, source,
        source_2)``.  ``half_agreement``, the same of halves of the neurons, also of two halves of
        one source: what to compare the agreement of two sources with.

        ``transfer_gain (source, source_2)``, by how much the groups of `source` predict the
        neurons of `source_2` better than one Gaussian, in nats per neuron; ``transfer_p``, the
        test of both directions together.

        ``partner (source, source_2, cluster)``, the group of `source_2` that is most like a group
        of `source`; ``center_cosine``, of the angle between their centers; ``overlap``, of the
        neurons in either, the share in both.  ``label (neuron)``, with ``of_source``; ``share``
        and ``center (source, cluster, feature)`` of the clouds made round, in their standard
        deviations; ``n_clusters``; ``chosen_n_clusters (source)``, the number that predicts
        held-out neurons of a source best.

    Raises
    ------
    TensorError
        If there are no two sources with the same features, or too few neurons for the groups.
    FitError
        If a cloud cannot be made round.

    Warns
    -----
    PopdynWarning
        As `selectivity_test`, naming the source; where a source has too few neurons for as many
        groups as another one has; where `by` leaves sources out.

    Notes
    -----
    Each source is centered and made round by itself, such that features keep their names: each is
    divided by its own scatter, and correlations are taken out by the symmetric root.  Units of
    features and gains of sources make no difference.  The scatter is Huber's, which far vectors
    do not decide; lengths that are more spread than those of a Gaussian cloud are replaced by
    these.

    *Null*: the second cloud is turned by a random rotation or reflection together with its
    groups.  Both keep the groups that they have; that they stand for the same features is lost.
    Of clouds without groups, no turn is special either.  Where groups lie about alike in all
    directions, turns by which they fall onto each other are not rare, and p cannot be small;
    ``transfer_p`` is smaller then.  p are not corrected for the number of pairs.

    *Order*: results are the same for any order of sources and of neurons.

    *Bounds*: the agreement, more or less 1.96 standard deviations of that of halves of the neurons
    of both sources (25 splits, each source made round and fitted again).

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> centers = np.array([[2, 0, 0], [0, 2, 0], [-1, -1, 1], [-1, -1, -2]])
    >>> network, area = (centers[rng.integers(0, 4, 80)] for _ in range(2))
    >>> network, area = (x + 0.5 * rng.normal(size=(80, 3)) for x in (network, area))
    >>> result = pdn.selectivity_agreement({"network": network, "area": area}, n_draws=99)
    >>> pair = result.sel(source="network", source_2="area")
    >>> round(float(pair["agreement"]), 1), float(pair["transfer_p"])
    (1.0, 0.01)
    """
    check_whole("n_draws", n_draws, "draw of the null")
    _check_number(n_clusters)
    seed = as_generator(rng)[1]
    read, features = sources_of(sources, by, n_clusters or 2)
    _check_size(read, n_clusters or 2)
    # The same numbers for each source: none depends on its place among the others.
    for_number, for_groups, for_halves, for_null = _seeds(rng, 4)
    with threadpool_limits(limits=1, user_api="blas"):
        ordered, clouds = zip(*map(_by_length, read), strict=True)
        found = [
            number_of_groups(cloud, min(_LARGEST, most_groups(cloud.shape)), _start(for_number))
            for cloud in watched(clouds, len(clouds), "choosing numbers of groups")
        ]
        n = n_clusters or _common_number(ordered, found)
        fits = [(source, n, own.shape) for source, own in zip(ordered, found, strict=True)]
        fitted = [
            groups_of(cloud, n, shape, _start(for_groups))
            for cloud, (_, n, shape) in zip(clouds, fits, strict=True)
        ]
        names = np.array([source.name for source in ordered])
        variables = _compared(fitted, names, n_draws, _start(for_null))
        variables |= _over_halves(fits, variables["agreement"][1], for_halves)
    variables |= _described(ordered, fitted)
    variables["chosen_n_clusters"] = ("source", [own.n_groups for own in found])
    everything = np.concatenate([source.values for source in read])
    return make_result(
        variables,
        coords={
            "source": names, "source_2": names, "cluster": np.arange(1, n + 1).astype(np.str_),
            "feature": features, "bound": ["lower", "upper"], "draw": np.arange(n_draws),
            **_neurons(read),
        },
        method="selectivity_agreement",
        parameters={"n_clusters": n_clusters, "by": by, "n_draws": n_draws},
        source=xr.DataArray(everything, dims=("neuron", "feature"), name="loadings"),
        seed=seed,
    )  # fmt: skip


def _seeds(rng: Seed, n: int) -> list[int]:
    """Draw seeds, of which any number of equal generators can be made."""
    return [int(own.integers(2**63)) for own in spawn(rng, n)]


_start = np.random.default_rng


def _round(whose: str, values: Array) -> Array:
    """Make a cloud round."""
    try:
        return rounded(values)
    except (TensorError, FitError) as error:
        message = f"{whose}: {error}"
        raise type(error)(message) from error


def _by_length(source: Source) -> tuple[Source, Array]:
    """Make the cloud of a source round; neurons by length, as fits start from their places."""
    cloud = _round(f"source {source.name!r}", source.values)
    order = np.argsort(np.linalg.norm(cloud, axis=1), kind="stable")
    ordered = source._replace(values=source.values[order], place=source.place[order])
    return ordered, cloud[order]


def _check_number(n_clusters: int | None) -> None:
    """Refuse what is no number of groups."""
    if n_clusters is not None:
        check_whole("n_clusters", n_clusters, "group")
        if n_clusters == 1:
            message = "n_clusters must be at least 2, found 1: neurons in one group always agree"
            raise TensorError(message)


def _check_size(read: list[Source], wanted: int) -> None:
    """Refuse sources with too few neurons for the groups."""
    n_neurons, name = min((len(source.values), source.name) for source in read)
    n_features = read[0].values.shape[1]
    needed = neurons_needed(wanted, n_features)
    if n_neurons < needed:
        message = (
            f"source {name!r}: {wanted} groups in {n_features} dimensions need at least {needed} "
            f"neurons, found {n_neurons}: take fewer groups or features, or leave the source out"
        )
        raise TensorError(message)


def _common_number(read: Sequence[Source], found: list[Number]) -> int:
    """Largest number of groups of any source for which all have neurons."""
    wanted = max(2, *(own.n_groups for own in found))
    smallest = min(read, key=lambda source: len(source.values))
    most = most_groups(smallest.values.shape)
    if most >= wanted:
        return wanted
    more = [
        f"{source.name!r} {own.n_groups}"
        for source, own in zip(read, found, strict=True)
        if own.n_groups > most
    ]
    warn(
        f"source {smallest.name!r}: {len(smallest.values)} neurons are enough for {most} groups "
        f"only, others have more ({', '.join(more)}): agreement is that of {most} groups in each "
        "source; leave it out to compare all groups of the others"
    )
    return most


def _compared(
    fitted: list[Groups], names: NDArray[np.str_], n_draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Compare each source with each other one, and with it turned at random."""
    n_sources, n_features = len(fitted), fitted[0].cloud.shape[1]
    # Who is turned depends on names, not on order.
    pairs = list(combinations(np.argsort(names), 2))
    turns = [random_turn(n_features, rng) for _ in range(n_draws)]
    turned = np.array([
        [compare(fitted[i], fitted[j], turn) for i, j in pairs]
        for turn in watched(turns, n_draws, "turning clouds at random")
    ])  # fmt: skip
    found, gain, transfer_p = np.full((3, n_sources, n_sources), np.nan)
    null = np.full((n_draws, n_sources, n_sources), np.nan)
    for (i, j), own in zip(pairs, turned.swapaxes(0, 1), strict=True):
        found[i, j], *gains = compare(fitted[i], fitted[j])
        null[:, i, j] = null[:, j, i] = own[:, 0]
        found[j, i] = found[i, j]
        gain[i, j], gain[j, i] = gains
        transfer_p[i, j] = upper_p_value(sum(gains), own[:, 1:].sum(axis=1))
        transfer_p[j, i] = transfer_p[i, j]
    return {
        "agreement": (_PAIR, found),
        "p": (_PAIR, upper_p_value(found, null)),
        "null_agreement": (("draw", *_PAIR), null),
        "transfer_gain": (_PAIR, gain, {"units": "nat"}),
        "transfer_p": (_PAIR, transfer_p),
    }


def _over_halves(fits: list[tuple[Source, int, str]], found: Array, seed: int) -> dict[str, Any]:
    """Compare halves of the neurons of all sources, and say what that makes of bounds."""
    agreed: list[Array] = []
    for own in watched(_seeds(seed, _N_SPLITS), _N_SPLITS, "comparing halves of neurons"):
        halves = [_halves(*fit, _start(own)) for fit in fits]
        matrix = np.array([[compare(a, b)[0] for _, b in halves] for a, _ in halves])
        agreed += [matrix, matrix.T]
    reach = _WIDTH * np.std(agreed, axis=0)
    bound = np.stack([found - reach, np.minimum(found + reach, 1.0)])
    return {
        "half_agreement": (_PAIR, np.mean(agreed, axis=0)),
        "agreement_bound": (("bound", *_PAIR), bound),
    }


def _halves(source: Source, n_clusters: int, shape: str, rng: np.random.Generator) -> list[Groups]:
    """Fit groups to two random halves of the neurons."""
    order = rng.permutation(len(source.values))
    half = len(order) // 2
    whose = f"half of the neurons of source {source.name!r}"
    return [
        groups_of(_round(whose, source.values[chosen]), n_clusters, shape, rng, 2)
        for chosen in (order[:half], order[half : 2 * half])
    ]


def _described(read: Sequence[Source], fitted: list[Groups]) -> dict[str, Any]:
    """Describe groups, who is in which, and which belong together."""
    n_clusters = len(fitted[0].mixture.weight)
    paired = [[partners(one, two) for two in fitted] for one in fitted]
    partner, cosine, overlap = (
        np.array([[pair[i] for pair in row] for row in paired]) for i in range(3)
    )
    labels = []
    for source, own in zip(read, fitted, strict=True):
        label = np.full(source.given.known.size, "", dtype="<U2")
        label[source.place] = (own.label + 1).astype(np.str_)
        labels.append(label)
    share = [np.bincount(own.label, minlength=n_clusters) / own.label.size for own in fitted]
    dims = (*_PAIR, "cluster")
    return {
        "partner": (dims, (partner + 1).astype(np.str_)),
        "center_cosine": (dims, cosine),
        "overlap": (dims, overlap),
        "share": (("source", "cluster"), np.array(share)),
        "center": (("source", "cluster", "feature"), [own.mixture.mean for own in fitted]),
        "n_clusters": ((), n_clusters),
        "label": ("neuron", np.concatenate(labels)),
    }


def _neurons(read: Sequence[Source]) -> dict[str, Any]:
    """Name and source of each neuron."""
    names = [source.given.source["neuron"].to_numpy().astype(np.str_) for source in read]
    return {
        "neuron": np.concatenate(names),
        "of_source": ("neuron", np.repeat([s.name for s in read], [own.size for own in names])),
    }
