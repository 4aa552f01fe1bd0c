"""Networks of a spec that are trained: by which rule, with what arguments, one or many."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from popdyn.comparison.arguments import DEFAULT_RULE, RULES
from popdyn.comparison.seeds import derive_seed
from popdyn.errors import SpecError
from popdyn.network.kinds import Network
from popdyn.network.low_rank import LowRank
from popdyn.tasks import Task
from popdyn.train.identity import training_words
from popdyn.train.many import many
from popdyn.train.target_network import target_network

MOST_SEEDS = 1000


def rule_of(table: Mapping[str, Any] | None) -> str:
    """Return the name of the rule that a table ``train`` asks for."""
    return str((table or {}).get("rule", DEFAULT_RULE))


def train_network(
    net: Network,
    task: Task,
    table: Mapping[str, Any] | None,
    seed: int,
    name: str,
    checkpoint: str | os.PathLike[str] | None = None,
) -> tuple[Network, xr.Dataset]:
    """Train a network as a table asks.

    Parameters
    ----------
    net : Rate, LowRank or Spiking
        The network.
    task : Task
        What it learns.
    table : mapping or None
        ``rule`` and its arguments; ``target`` holds those of ``pdn.train.target_network``.
    seed : int
        Seed of the comparison.
    name : str
        Of the network, from which and `seed` random numbers come.
    checkpoint : path-like, optional
        Where the state is kept.

    Returns
    -------
    net : Rate, LowRank or Spiking
        The trained network.
    history : Dataset
        From the rule.
    """
    learn = RULES[rule_of(table)]
    arguments = _arguments(net, task, table, seed, name)
    trained: tuple[Network, xr.Dataset] = learn(**arguments, checkpoint=checkpoint)
    return trained


def network_training(
    net: Network, task: Task, table: Mapping[str, Any] | None, seed: int, name: str
) -> str:
    """Write down what `train_network` does with the same arguments, as `train_seeds` does.

    Returns
    -------
    str
        From `popdyn.train.identity.training_words`.
    """
    return training_words(RULES[rule_of(table)], _arguments(net, task, table, seed, name))


def train_seeds(
    networks: Mapping[int, tuple[Network, Task]],
    table: Mapping[str, Any] | None,
    folder: Path,
    *,
    name: str,
    source: str,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Train a network for each seed, into a folder.

    Parameters
    ----------
    networks : mapping of seed to (network, task)
        What is trained.
    table : mapping or None
        As in `train_network`.
    folder : Path
        Where networks and histories go; what is there is not trained again.
    name : str
        Files are called ``<name>_<seed>``.
    source : str
        As ``name`` in `train_network`: one network trained alone is the same.
    n_jobs : int
        Trainings at once.

    Returns
    -------
    DataFrame
        From ``pdn.train.many``.
    """
    trainings = {
        f"{name}_{seed}": _arguments(net, task, table, seed, source)
        for seed, (net, task) in networks.items()
    }
    return many(RULES[rule_of(table)], trainings, folder, n_jobs=n_jobs)


def read_seeds(text: str) -> list[int]:
    """Read seeds, such as ``"0-4"`` or ``"0,3,7-9"``.

    Raises
    ------
    SpecError
        If they are written otherwise, or twice, or too many.

    Examples
    --------
    >>> from popdyn.comparison.training import read_seeds
    >>> read_seeds("0,3,7-9")
    [0, 3, 7, 8, 9]
    """
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        first, last = (int(one) for one in (found[1], found[2] or found[1])) if found else (1, 0)
        if last < first or last - first >= MOST_SEEDS:
            message = (
                f"seeds are whole numbers such as 0-4 or 0,3,7, at most {MOST_SEEDS} in a row, "
                f"found {text!r:.60}"
            )
            raise SpecError(message)
        seeds.extend(range(first, last + 1))
    if len(set(seeds)) < len(seeds):
        message = f"a seed is named twice in {text!r:.60}: each gives one network"
        raise SpecError(message)
    return seeds


def _arguments(
    net: Network, task: Task, table: Mapping[str, Any] | None, seed: int, name: str
) -> dict[str, Any]:
    """Return the arguments of a rule, with the target network that a table describes.

    Raises
    ------
    SpecError
        If the network is of low rank and the rule takes none.
    """
    rule = rule_of(table)
    if isinstance(net, LowRank) and rule != "backprop":
        message = (
            "a low-rank network is trained by the rule 'backprop', found "
            f"{rule!r}{'' if table and 'rule' in table else ' (the default)'}: say rule = "
            '"backprop" in train, or --rule backprop'
        )
        raise SpecError(message)
    arguments = {key: value for key, value in (table or {}).items() if key != "rule"}
    if "target" in arguments:
        own = {"n_neurons": net.n_neurons, **arguments["target"]}
        rng = derive_seed(seed, name, "target")
        arguments["target"] = target_network(task, dt=net.dt, rng=rng, **own)
    return {"net": net, "task": task, **arguments, "rng": derive_seed(seed, name, "train")}
