"""Give every source the same number of neurons and trials, so that numbers can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.errors import SpecError
from popdyn.tensor.view import group_conditions

Mask = NDArray[np.bool_]


def match_sources(sources: Sequence[Prepared], spec: Spec) -> list[Prepared]:
    """Draw the neurons and trials that every source keeps.

    Parameters
    ----------
    sources : sequence of Prepared
        All sources.
    spec : Spec
        Its ``match`` says how many; ``"smallest"`` is what the smallest source has, trials
        being counted within each condition.  Only complete trials (observed in every matched
        neuron and bin) are counted and drawn where an analysis needs them: in
        pseudo-populations, and when something is decoded.

    Returns
    -------
    list of Prepared
        Neurons and trials keep their order.  Their ``problems`` say how many trials were not
        complete.

    Raises
    ------
    SpecError
        If a source has fewer than the number asked for.
    """
    by = spec.conditions.by
    sizes = {source.id: source.tensor.sizes["neuron"] for source in sources}
    n_neurons = _wanted(spec.match.neurons, sizes, "neurons")
    # Neurons first: which trials are complete depends on them.
    sources = [_with_neurons(source, n_neurons, spec) for source in sources]
    if spec.match.trials is None:
        return list(sources)
    drawable = {source.id: _drawable(source, spec) for source in sources}
    counts = {source.id: _counts(source, by, drawable[source.id]) for source in sources}
    n_trials = {
        label: _wanted(
            spec.match.trials,
            {name: count[label] for name, count in counts.items()},
            "trials",
            f" of condition {label!r}",
        )
        or 0
        for label in counts[sources[0].id]
    }
    return [_with_trials(source, n_trials, drawable[source.id], spec) for source in sources]


def _with_neurons(source: Prepared, n_neurons: int | None, spec: Spec) -> Prepared:
    if n_neurons is None:
        return source
    generator = np.random.default_rng(derive_seed(spec.seed, source.id, "match neurons"))
    keep = generator.choice(source.tensor.sizes["neuron"], n_neurons, replace=False)
    return replace(source, tensor=source.tensor.isel(neuron=np.sort(keep)))


def _drawable(source: Prepared, spec: Spec) -> Mask:
    """Tell which trials can be drawn.

    Complete trials where an analysis needs them: of a pseudo-population the repeats that every
    neuron has, and of any source when it is decoded.  A source with too few of them to be
    decoded loses no trials for it.
    """
    tensor, n_folds = source.tensor, _most_folds(spec)
    together = bool(int(tensor.attrs.get("simultaneous", 1)))
    everything = np.ones(tensor.sizes["trial"], dtype=bool)
    if together and not n_folds:
        return everything
    observed = np.isfinite(tensor.values)
    complete = observed[observed.any(axis=(1, 2))].all(axis=(0, 1))
    needed = max(1, n_folds)
    enough = min(_counts(source, spec.conditions.by, complete).values()) >= needed
    return np.asarray(complete) if enough else everything


def _most_folds(spec: Spec) -> int:
    """Count the folds of whatever is decoded; 0 when nothing is."""
    asked = spec.analyses
    decoders = (asked.decode, asked.decode_quantity, asked.temporal_generalization)
    return max((one.n_folds for one in decoders if one is not None), default=0)


def _counts(source: Prepared, by: Sequence[str], drawable: Mask) -> dict[str, int]:
    """Count the trials of each condition that can be drawn."""
    conditions = group_conditions(source.tensor, list(by))
    own = [int(drawable[conditions.index == k].sum()) for k in range(len(conditions.labels))]
    return dict(zip(conditions.labels, own, strict=True))


def _wanted(asked: Any, have: dict[str, int], what: str, of: str = "") -> int | None:
    """Return how many each source keeps, None for all."""
    if asked is None:
        return None
    smallest = min(have, key=lambda name: have[name])
    if asked == "smallest":
        return have[smallest]
    if have[smallest] < asked:
        message = (
            f"match.{what} = {asked}, but source {smallest!r} has {have[smallest]} {what}{of}: "
            f'write match.{what} = "smallest", or at most {have[smallest]}'
        )
        raise SpecError(message)
    return int(asked)


def _with_trials(
    source: Prepared, n_trials: dict[str, int], drawable: Mask, spec: Spec
) -> Prepared:
    generator = np.random.default_rng(derive_seed(spec.seed, source.id, "match trials"))
    conditions = group_conditions(source.tensor, list(spec.conditions.by))
    kept = []
    for position, label in enumerate(conditions.labels):
        own = np.flatnonzero((conditions.index == position) & drawable)
        kept.append(generator.choice(own, n_trials[label], replace=False))
    tensor = source.tensor.isel(trial=np.sort(np.concatenate(kept)))
    return _told(replace(source, tensor=tensor), drawable)


def _told(source: Prepared, drawable: Mask) -> Prepared:
    """Say how many trials could not be drawn; of a pseudo-population that is no surprise."""
    if drawable.all() or not int(source.tensor.attrs.get("simultaneous", 1)):
        return source
    message = (
        f"{int((~drawable).sum())} of {drawable.size} trials were not observed in every neuron and "
        "bin (NaN) and could not be drawn: decoding needs complete trials"
    )
    return replace(source, problems=(*source.problems, message), said=(*source.said, message))
