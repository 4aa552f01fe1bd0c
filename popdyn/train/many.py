"""Many trainings at once: one file for each network, a table of all."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import xarray as xr

from popdyn.errors import PopdynError, SourceError, TensorError, warn
from popdyn.network.kinds import Network
from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.train.course import check_count
from popdyn.train.finished import HISTORY, Finished
from popdyn.train.identity import rule_words, training_words
from popdyn.train.reservoir import check_net_and_task

Rule = Callable[..., tuple[Network, xr.Dataset]]


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
    others from their last test.  A training that fails does not stop the others, whatever it fails
    by: a divergence, a network that does not fit its task, a damaged file, a full disk.  What can
    be seen from the arguments alone is refused before the first training.

    A network that is finished is finished: the same name with a longer ``n_trials``, or any other
    argument, is another training.  A task of one's own is told by its class, its public attributes
    and trials that it gives.

    Parameters
    ----------
    rule : function
        Such as `popdyn.train.full_force`, or a `functools.partial` of it.
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
        took in this call, ``path``, and ``error``, the message of a training that failed, without
        network.  Also written to ``<folder>/networks.csv``.

    Raises
    ------
    TensorError
        If a name cannot be that of a file, a training lacks its network or task, or names an
        argument that the rule does not take.
    SourceError
        If the folder is none, or holds a network of that name that was trained otherwise.

    Warns
    -----
    PopdynWarning
        If the table could not be written.

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
    _check(rule, trainings, shared, n_jobs)
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{str(folder)!r} cannot be the folder of the networks ({error.strerror})"
        raise SourceError(message) from None
    held = rule_words(rule)[1]
    told = {name: {**held, **shared, **arguments} for name, arguments in trainings.items()}
    files = {
        name: Finished(place / f"{name}.nc", _words(rule, name, arguments))
        for name, arguments in told.items()
    }
    for one in files.values():
        one.refuse_another()
    jobs = (joblib.delayed(_one)(rule, name, told[name], files[name]) for name in told)
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator", batch_size=1)(jobs)
    table = pd.DataFrame(list(watched(results, len(told), f"training {len(told)} networks")))
    _write(table, place / "networks.csv")
    return table


def _one(rule: Rule, name: str, arguments: dict[str, Any], files: Finished) -> dict[str, Any]:
    """Train one network, unless it is there, and say what came out."""
    started = time.perf_counter()
    row: dict[str, Any] = {"name": name, "seed": str(arguments.get("rng", 0)), "error": ""}
    try:
        told = files.read()
        if told is None:
            told = _trained(rule, arguments, files)
    # A task may be anybody's code: what it raises must not cost the other trainings.
    except Exception as error:  # noqa: BLE001
        return {**row, "error": _said(error), "path": ""}
    best = int(told["best"])
    bounds = told["final_accuracy_bound"].to_numpy()
    return {
        **row,
        "n_trials": int(told["n_trials"][best]),
        "final_accuracy": float(told["final_accuracy"]),
        "lower": float(bounds[0]),
        "upper": float(bounds[1]),
        "seconds": round(time.perf_counter() - started, 1),
        "path": str(files.network),
    }


def _trained(rule: Rule, arguments: dict[str, Any], files: Finished) -> xr.Dataset:
    """Train a network and write it; return its history."""
    checkpoint = files.network.with_suffix(".npz")
    net, told = rule(**arguments, checkpoint=checkpoint)
    told = files.write(net, told)
    checkpoint.unlink(missing_ok=True)
    return told


def _write(table: pd.DataFrame, path: Path) -> None:
    """Write the table, or say why not: it is returned in any case."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        table.to_csv(temporary, index=False)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        warn(f"the table {str(path)!r} could not be written ({error.strerror}): it is returned")


def _check(
    rule: Any,
    trainings: Any,
    shared: Mapping[str, Any],
    n_jobs: Any,
) -> None:
    """Refuse what can be seen to fail before anything is trained."""
    if not callable(rule):
        message = f"rule must be a function such as pdn.train.full_force, found {rule!r:.60}"
        raise TensorError(message)
    is_number = isinstance(n_jobs, int) and not isinstance(n_jobs, bool) and n_jobs != 0
    if not (n_jobs is None or is_number):
        message = f"n_jobs must be a whole number, -1 for all processors, found {n_jobs!r:.60}"
        raise TensorError(message)
    if not isinstance(trainings, Mapping) or not trainings:
        message = (
            "trainings must map a name to the arguments of each training, such as {'a_0': {'net': "
            f"net, 'task': task, 'rng': 0}}}}, found {trainings!r:.60}"
        )
        raise TensorError(message)
    for name, arguments in trainings.items():
        _check_name(name)
        if not isinstance(arguments, Mapping):
            message = f"training {name!r} must be a mapping of arguments, found {arguments!r:.60}"
            raise TensorError(message)
        _check_arguments(rule, name, {**rule_words(rule)[1], **shared, **arguments})


def _check_name(name: Any) -> None:
    """Refuse names that are none of files."""
    if not isinstance(name, str) or not name or set(name) & set('/\\:*?"<>|.'):
        message = f"{name!r} cannot be the name of a file: use letters, digits and _"
        raise TensorError(message)
    if name.endswith(HISTORY):
        message = f"{name!r} would be the history of {name.removesuffix(HISTORY)!r}: rename it"
        raise TensorError(message)


def _check_arguments(rule: Rule, name: str, told: Mapping[str, Any]) -> None:
    """Refuse a training without network or task, and arguments that the rule does not take."""
    if "checkpoint" in told:
        message = f"training {name!r} names a checkpoint: many keeps its own, in the folder"
        raise TensorError(message)
    check_count(f"rng of training {name!r}", {"rng": 0, **told}["rng"], 0)
    missing = [key for key in ("net", "task") if key not in told]
    if missing:
        message = f"training {name!r} lacks {' and '.join(missing)}"
        raise TensorError(message)
    try:
        inspect.signature(rule).bind(**told, checkpoint="")
        check_net_and_task(told["net"], told["task"], (Rate, LowRank, Spiking))
    # A task may be anybody's code.
    except Exception as error:
        raise TensorError(_named(rule, name, error)) from error


def _words(rule: Rule, name: str, arguments: Mapping[str, Any]) -> str:
    """Write down what a training is, which draws trials of a task of one's own."""
    try:
        return training_words(rule, arguments)
    except Exception as error:
        raise TensorError(_named(rule, name, error)) from error


def _named(rule: Rule, name: str, error: Exception) -> str:
    """Say what went wrong before a training, and with which."""
    return f"training {name!r}, by {rule_words(rule)[0]}: {_said(error)}"


def _said(error: Exception) -> str:
    """Return a message; of an error that is none of popdyn's also its kind, which says more."""
    ours = isinstance(error, PopdynError)
    return str(error) if ours else f"{type(error).__name__}: {error}"
