"""The smallest rank with which a network learns a task."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from popdyn.errors import FitError, TensorError
from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.resample import BOUND, Seed, as_generator
from popdyn.tasks import Task
from popdyn.tasks.lesson import lesson_of
from popdyn.tensor.result import make_result
from popdyn.tensor.store import load
from popdyn.train.backprop import backprop
from popdyn.train.begin import share
from popdyn.train.course import check_count
from popdyn.train.many import many
from popdyn.train.own_tasks import check_task

# Of the recurrent weights of a full-rank network that learns first: silent by itself.
_GAIN = 0.5
# Arguments that both trainings take alike.
_SHARED = ("n_validation", "validate_every", "batch", "clip", "noise_step", "precision")


def rank_search(
    task: Task,
    ranks: Sequence[int] = (1, 2, 3),
    *,
    n_neurons: int = 512,
    accuracy: float = 0.95,
    n_full_rank_trials: int = 0,
    dt: float = 0.02,
    folder: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    rng: Seed = 0,
    **training: Any,
) -> tuple[LowRank, xr.Dataset]:
    """Train networks of several ranks on a task, and find the smallest that does it.

    Each rank is a training by itself (`backprop`), from random loadings or from what a full-rank
    network has learned.  Some tasks, such as those that compare a stimulus with one before, are
    hardly found from random loadings; a rank that failed is no proof that it cannot.

    Parameters
    ----------
    task : Task
        Gives the trials.
    ranks : sequence of int
        The ranks.
    n_neurons : int
        Number of neurons.
    accuracy : float
        Share of correct trials that is enough, on fresh trials after training.
    n_full_rank_trials : int
        Trials that a full-rank network, N(0, 0.25/N), learns first; each rank then starts from its
        largest singular values.  0 starts from random loadings.
    dt : float
        Step in seconds.
    folder : path-like, optional
        Where networks are kept, as by `many`: what was interrupted goes on from there.
    n_jobs : int, optional
        Ranks at once (joblib).
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.
    **training
        Arguments of `backprop`.

    Returns
    -------
    net : LowRank
        The network of the smallest rank that reached the accuracy; if none did, the most accurate.
    result : xarray.Dataset
        By ``n_ranks``: ``accuracy (n_ranks)`` on fresh trials, ``accuracy_bound (bound,
        n_ranks)``, ``n_trials (n_ranks)`` that the network had learned and ``seconds (n_ranks)``;
        ``smallest``, the smallest rank that reached the accuracy, NaN if none did.

    Raises
    ------
    TensorError
        If an argument makes no sense.
    FitError
        If a training fails.
    SourceError
        If the folder is none, or holds networks of another search.

    See Also
    --------
    backprop : one training.

    References
    ----------
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
    >>> net, result = pdn.train.rank_search(task, [1, 2], n_neurons=100, n_trials=1280)
    >>> float(result["smallest"])
    1.0
    """
    generator, seed = as_generator(rng)
    seeds = [int(one) for one in generator.integers(0, 2**31, 3)]
    enough = share("accuracy", accuracy)
    check_task(task)
    given = _read_ranks(ranks, n_neurons)
    check_count("n_full_rank_trials", n_full_rank_trials, 0)
    place: Any = tempfile.TemporaryDirectory() if folder is None else nullcontext(folder)
    with place as where:
        full = _full_rank(task, n_neurons, dt, seeds[0])
        if n_full_rank_trials:
            told = {name: training[name] for name in _SHARED if name in training}
            first = {"full_rank": {"net": full, "task": task, "rng": seeds[2], **told}}
            full = _learned(first, where, n_jobs, n_trials=n_full_rank_trials)[0][0]
        start = full if n_full_rank_trials else None
        trainings = {
            f"rank_{rank}": {"net": _of_rank(rank, full, start, seeds[1]), "task": task}
            for rank in given
        }
        nets, table = _learned(trainings, where, n_jobs, rng=seeds[2], **training)
    reached = table["final_accuracy"].to_numpy()
    done = np.flatnonzero(reached > enough)
    chosen = int(done[0]) if done.size else int(np.argmax(reached))
    parameters = {
        **{"ranks": given, "n_neurons": n_neurons, "accuracy": enough, "dt": dt},
        **{"n_full_rank_trials": n_full_rank_trials, "task": repr(task), **training},
    }
    variables = {
        "accuracy": ("n_ranks", reached, {"units": "1"}),
        "accuracy_bound": (("bound", "n_ranks"), table[["lower", "upper"]].to_numpy().T),
        "n_trials": ("n_ranks", table["n_trials"].to_numpy(), {"description": "trials learned"}),
        "seconds": ("n_ranks", table["seconds"].to_numpy(), {"units": "s"}),
        "smallest": ((), float(given[chosen]) if done.size else np.nan),
    }
    about: dict[str, Any] = {"method": "rank_search", "parameters": parameters, "seed": seed}
    coords = {"n_ranks": list(given), "bound": BOUND}
    return nets[chosen], make_result(variables, coords=coords, **about)


def _read_ranks(ranks: Any, n_neurons: Any) -> tuple[int, ...]:
    """Return the ranks in order.

    Raises
    ------
    TensorError
        If there are none, or one is none of a network of so many neurons.
    """
    check_count("n_neurons", n_neurons)
    given = (ranks,) if isinstance(ranks, (int, np.integer)) else tuple(ranks)
    for rank in given:
        check_count("ranks", rank)
    if not given or max(given) > n_neurons:
        message = (
            f"ranks must name ranks from 1 to the number of neurons, {n_neurons}; found {ranks!r}"
        )
        raise TensorError(message)
    return tuple(sorted({int(rank) for rank in given}))


def _full_rank(task: Task, n_neurons: int, dt: float, seed: int) -> Rate:
    """Draw a network of the sizes that the task asks for."""
    lesson = lesson_of(task, task.sample(1, 0, dt=dt))
    n_inputs, n_outputs = lesson.sizes["channel"], lesson.sizes["output"]
    told: dict[str, Any] = {"n_inputs": n_inputs, "n_outputs": n_outputs, "dt": dt, "rng": seed}
    return Rate.random(n_neurons, g=_GAIN, **told)


def _of_rank(rank: int, sizes: Rate, start: Rate | None, seed: int) -> LowRank:
    """Return where a rank starts from."""
    if start is not None:
        return LowRank.from_rate(start, rank)
    told: dict[str, Any] = {"n_inputs": sizes.n_inputs, "n_outputs": sizes.n_outputs}
    told |= {"dt": sizes.dt, "rng": seed}
    return LowRank.random(sizes.n_neurons, n_ranks=rank, **told)


def _learned(
    trainings: dict[str, Any], where: Any, n_jobs: int | None, **shared: Any
) -> tuple[list[Any], pd.DataFrame]:
    """Train networks; return them and the table of what came out.

    Raises
    ------
    FitError
        If one fails.
    """
    table = many(backprop, trainings, where, n_jobs=n_jobs, **shared)
    for name, error in zip(table["name"], table["error"], strict=True):
        if error:
            message = f"{name}: {error}"
            raise FitError(message)
    return [load(path) for path in table["path"]], table
