"""Many trainings at once: one file for each network, a table of all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import xarray as xr

from popdyn.errors import FitError, SourceError, TensorError
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.tensor.result import as_json, digest
from popdyn.tensor.store import load, save
from popdyn.train.course import check_count

# Of the file beside a network's.
_HISTORY = "_history"

Rule = Callable[..., tuple[Rate | Spiking, xr.Dataset]]


def many(
    rule: Rule,
    trainings: Mapping[str, Mapping[str, Any]],
    folder: str | os.PathLike[str],
    *,
    n_jobs: int | None = None,
    **shared: Any,
) -> pd.DataFrame:
    """Train many networks, each into a file of its own.

    Whatever was interrupted goes on with the same call: finished networks are not trained again,
    others from their last test.  A training that fails does not stop the others.

    Parameters
    ----------
    rule : function
        Such as `popdyn.train.full_force`.
    trainings : mapping of name to arguments
        What each network is trained with: ``net``, ``task``, ``rng``, and whatever else the rule
        takes.  Names become names of files.
    folder : path-like
        Where files go: ``<name>.nc``, the network, ``<name>_history.nc``, and as long as it is
        not finished ``<name>.npz``.  Made if it is not there.
    n_jobs : int, optional
        Trainings at once (joblib); None is one, or what ``joblib.parallel_config`` says.
    **shared
        Arguments that are the same for all.

    Returns
    -------
    pandas.DataFrame
        A row per network, in order: ``name``, ``seed``, ``n_trials`` learned by the network that
        was kept, ``final_accuracy`` with its 95 % interval ``lower``, ``upper``, ``seconds`` it
        took in this call, ``path``, and ``error``, the message of a training that failed.  Also
        written to ``<folder>/networks.csv``.

    Raises
    ------
    TensorError
        If a name cannot be that of a file, or a training lacks its network or task.
    SourceError
        If the folder holds a network of that name that was trained otherwise.

    Examples
    --------
    >>> import tempfile
    >>> import popdyn as pdn
    >>> task = pdn.tasks.Oscillation(sines=[(2, 1.0)])
    >>> trainings = {
    ...     f"oscillation_{seed}": {
    ...         "net": pdn.network.Rate.random(50, g=1.5, tau=0.01, dt=0.001, rng=seed),
    ...         "task": task,
    ...         "rng": seed,
    ...     }
    ...     for seed in (0, 1)
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = pdn.train.many(
    ...         pdn.train.full_force, trainings, folder, n_trials=20, n_validation=10
    ...     )
    >>> table["final_accuracy"].tolist()
    [1.0, 1.0]
    """
    _check(trainings, shared)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    jobs = (
        joblib.delayed(_one)(rule, name, {**shared, **arguments}, place)
        for name, arguments in trainings.items()
    )
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator", batch_size=1)(jobs)
    rows = list(watched(results, len(trainings), f"training {len(trainings)} networks"))
    table = pd.DataFrame(rows)
    temporary = place / ".networks.csv.partial"
    table.to_csv(temporary, index=False)
    temporary.replace(place / "networks.csv")
    return table


def _one(rule: Rule, name: str, arguments: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train one network, unless it is there, and say what came out."""
    network, history = folder / f"{name}.nc", folder / f"{name}{_HISTORY}.nc"
    checkpoint = folder / f"{name}.npz"
    started = time.perf_counter()
    row: dict[str, Any] = {"name": name, "seed": str(arguments.get("rng", 0)), "error": ""}
    if not (network.exists() and history.exists()):
        try:
            trained, told = rule(**arguments, checkpoint=checkpoint)
        except FitError as error:
            return {**row, "error": str(error), "path": ""}
        told.attrs["training"] = _written(rule, arguments)
        save(told, history)
        save(trained, network)
        checkpoint.unlink(missing_ok=True)
    told = load(history)
    _refuse_another(told, _written(rule, arguments), history)
    best = int(told["best"])
    bounds = told["final_accuracy_bound"].to_numpy()
    return {
        **row,
        "n_trials": int(told["n_trials"][best]),
        "final_accuracy": float(told["final_accuracy"]),
        "lower": float(bounds[0]),
        "upper": float(bounds[1]),
        "seconds": round(time.perf_counter() - started, 1),
        "path": str(network),
    }


def _written(rule: Rule, arguments: Mapping[str, Any]) -> str:
    """Write down what a training is, its network by content."""
    told = {
        name: digest(value.to_dataset()) if hasattr(value, "to_dataset") else value
        for name, value in arguments.items()
    }
    return as_json({"rule": rule.__name__, **told, "task": repr(arguments["task"])})


def _refuse_another(history: xr.Dataset, wanted: str, path: Path) -> None:
    """Refuse a network that was trained otherwise."""
    found = history.attrs.get("training")
    if found != wanted:
        message = (
            f"{path.name!r} is of another training ({found:.200}), now asked for {wanted:.200}: "
            "give another name or folder, or remove it"
        )
        raise SourceError(message)


def _check(trainings: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Any]) -> None:
    """Refuse names that are none of files, and trainings without network or task."""
    if not isinstance(trainings, Mapping) or not trainings:
        message = (
            "trainings must map a name to the arguments of each training, such as {'a_0': {'net': "
            f"net, 'task': task, 'rng': 0}}}}, found {trainings!r:.60}"
        )
        raise TensorError(message)
    for name, arguments in trainings.items():
        if not isinstance(name, str) or not name or set(name) & set('/\\:*?"<>|.'):
            message = f"{name!r} cannot be the name of a file: use letters, digits and _"
            raise TensorError(message)
        if name.endswith(_HISTORY):
            message = f"{name!r} would be the history of {name.removesuffix(_HISTORY)!r}: rename it"
            raise TensorError(message)
        if "checkpoint" in {**shared, **arguments}:
            message = f"training {name!r} names a checkpoint: many keeps its own, in the folder"
            raise TensorError(message)
        check_count(f"rng of training {name!r}", {"rng": 0, **shared, **arguments}["rng"], 0)
        missing = [key for key in ("net", "task") if key not in {**shared, **arguments}]
        if missing:
            message = f"training {name!r} lacks {' and '.join(missing)}"
            raise TensorError(message)
