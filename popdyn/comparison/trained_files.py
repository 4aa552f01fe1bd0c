"""Train what a model file describes, into files: one network, or one for each seed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from popdyn.comparison.network_source import draft, train_draft
from popdyn.comparison.source_spec import ModelSpec
from popdyn.comparison.training import network_training, read_seeds, train_seeds
from popdyn.errors import FitError, SourceError
from popdyn.train.finished import Finished

_COLUMNS = ["name", "n_trials", "final_accuracy", "lower", "upper", "seconds"]


def train_file(spec: ModelSpec, target: Path, checkpoint: Path | None = None) -> str:
    """Train a network and write it with its history; one that is there is not trained again.

    Parameters
    ----------
    spec : ModelSpec
        Network, task and training.
    target : Path
        File of the network; ``<target>_history`` is that of the history.
    checkpoint : Path, optional
        Where the state is kept.  Without, ``<target>_checkpoint.npz``, which is removed when the
        network is written.

    Returns
    -------
    str
        What was written, or is there already, and how well the network does.

    Raises
    ------
    SourceError
        If the file is there and is not of this training, or damaged.
    """
    plan = draft(spec, spec.seed)
    words = network_training(plan.net, plan.task, plan.source.train, spec.seed, plan.name)
    files = Finished(target, words)
    history = files.read()
    there = "" if history is None else " (finished before; remove it to train anew)"
    if history is None:
        kept = checkpoint or target.with_name(f"{target.stem}_checkpoint.npz")
        net, history = train_draft(plan, spec.seed, kept)
        history = files.write(net, history)
        if checkpoint is None:
            kept.unlink(missing_ok=True)
    low, high = history["final_accuracy_bound"].values
    accuracy = f"{history['final_accuracy'].item():.3f} ({low:.3f}-{high:.3f})"
    return (
        f"network: {target}{there}\nhistory: {files.history}\naccuracy on fresh trials: {accuracy}"
    )


def train_folder(
    spec: ModelSpec, seeds: str, folder: Path, name: str = "network", n_jobs: int = 1
) -> pd.DataFrame:
    """Train a network for each seed, into a folder; what is there is not trained again.

    Parameters
    ----------
    spec : ModelSpec
        Network, task and training; each seed takes the place of its own.
    seeds : str
        Such as ``"0-4"``.
    folder : Path
        Made if it is not there.
    name : str
        Files are called ``<name>_<seed>``.
    n_jobs : int
        Trainings at once.

    Returns
    -------
    DataFrame
        From ``pdn.train.many``.

    Raises
    ------
    SourceError
        If the folder is a file, or named as one.
    """
    if folder.suffix or (folder.exists() and not folder.is_dir()):
        message = f"networks of several seeds go into a folder, found {folder}: name one"
        raise SourceError(message)
    plans = {seed: draft(spec, seed) for seed in read_seeds(seeds)}
    networks = {seed: (plan.net, plan.task) for seed, plan in plans.items()}
    source = next(iter(plans.values())).name
    return train_seeds(networks, spec.train, folder, name=name, source=source, n_jobs=n_jobs)


def table_text(table: pd.DataFrame) -> str:
    """Write the table of trainings as text."""
    known = table.reindex(columns=_COLUMNS)
    return str(known.to_string(index=False, float_format="{:.3f}".format))


def refuse_failed(table: pd.DataFrame) -> None:
    """Say which trainings failed.

    Raises
    ------
    FitError
        If any did.
    """
    failed = table[table["error"] != ""]
    if len(failed):
        first = failed.iloc[0]
        message = f"{len(failed)} of {len(table)} trainings failed; {first['name']}: "
        raise FitError(message + str(first["error"]))
