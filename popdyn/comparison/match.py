"""Give every source the same number of neurons and trials, so that numbers can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.errors import SpecError
from popdyn.tensor.view import group_conditions


def match_sources(sources: Sequence[Prepared], spec: Spec) -> list[Prepared]:
    """Draw the neurons and trials that every source keeps.

    Parameters
    ----------
    sources : sequence of Prepared
        All sources.
    spec : Spec
        Its ``match`` says how many; ``"smallest"`` is what the smallest source has, trials
        being counted within each condition.

    Returns
    -------
    list of Prepared
        Neurons and trials keep their order.

    Raises
    ------
    SpecError
        If a source has fewer than the number asked for.
    """
    by = spec.conditions.by
    counts = {source.id: _counts(source, by) for source in sources}
    sizes = {source.id: source.tensor.sizes["neuron"] for source in sources}
    n_neurons = _wanted(spec.match.neurons, sizes, "neurons")
    labels = counts[sources[0].id]
    n_trials = {
        label: _wanted(
            spec.match.trials,
            {name: count[label] for name, count in counts.items()},
            "trials",
            f" of condition {label!r}",
        )
        for label in labels
    }
    return [_matched(source, n_neurons, n_trials, spec) for source in sources]


def _counts(source: Prepared, by: Sequence[str]) -> dict[str, int]:
    """Count the trials of each condition that can be drawn."""
    conditions, usable = group_conditions(source.tensor, list(by)), _usable(source)
    own = [int(usable[conditions.index == k].sum()) for k in range(len(conditions.labels))]
    return dict(zip(conditions.labels, own, strict=True))


def _usable(source: Prepared) -> np.ndarray:
    """Tell which trials can be drawn: of a pseudo-population the repeats every neuron has."""
    tensor = source.tensor
    if int(tensor.attrs.get("simultaneous", 1)):
        return np.ones(tensor.sizes["trial"], dtype=bool)
    return np.asarray(np.isfinite(tensor.values).all(axis=(0, 1)))


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


def _matched(
    source: Prepared, n_neurons: int | None, n_trials: dict[str, int | None], spec: Spec
) -> Prepared:
    tensor = source.tensor
    if n_neurons is not None:
        generator = np.random.default_rng(derive_seed(spec.seed, source.id, "match neurons"))
        keep = generator.choice(tensor.sizes["neuron"], n_neurons, replace=False)
        tensor = tensor.isel(neuron=np.sort(keep))
    generator = np.random.default_rng(derive_seed(spec.seed, source.id, "match trials"))
    conditions = group_conditions(tensor, list(spec.conditions.by))
    kept, usable = [], _usable(replace(source, tensor=tensor))
    for position, label in enumerate(conditions.labels):
        wanted = n_trials[label]
        drawable = np.ones(conditions.index.size, dtype=bool) if wanted is None else usable
        own = np.flatnonzero((conditions.index == position) & drawable)
        kept.append(own if wanted is None else generator.choice(own, wanted, replace=False))
    tensor = tensor.isel(trial=np.sort(np.concatenate(kept)))
    return replace(source, tensor=tensor)
