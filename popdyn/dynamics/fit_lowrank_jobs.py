"""Fits of several ranks, folds and starts, side by side, each kept in a file as it ends."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from popdyn.dynamics.fit_lowrank_data import Recording
from popdyn.dynamics.fit_lowrank_model import Model
from popdyn.dynamics.fit_lowrank_solve import Solution, solve
from popdyn.errors import FitError, warn
from popdyn.progress import watched
from popdyn.train.checkpoint import Checkpoint

Index = NDArray[np.intp]
# Fold of a fit to all items; rank of full weights.
EVERYTHING, FULL = -1, 0
# Part of the pull of the prior in the first half of a fit.
_WEAK = 1 / 9


@dataclass(frozen=True, order=True)
class Job:
    """One fit.

    Attributes
    ----------
    n_ranks : int
        Rank, ``FULL`` for full weights.
    fold : int
        Fold that is held out, or ``EVERYTHING``.
    start : int
        Number of the start.
    shuffled : bool
        Whether inputs are those of other conditions.
    """

    n_ranks: int
    fold: int
    start: int
    shuffled: bool = False

    @property
    def name(self) -> str:
        """Name in the checkpoint."""
        return f"{self.n_ranks}/{self.fold}/{self.start}/{int(self.shuffled)}"

    def generator(self, entropy: int) -> np.random.Generator:
        """Return the generator of its start, the same whatever else is fitted."""
        # Ranks share a stream: their input weights start alike.
        key = (self.fold + 1, self.start, int(self.shuffled))
        return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=key))


class Fits:
    """Fits of one model to one recording.

    Parameters
    ----------
    model : Model
        What is fitted.
    recording : Recording
        To what.
    fold : ndarray of int, shape (item,)
        Fold of each item.
    entropy : int
        Of all starts.
    n_iterations : int
        Most steps of a fit.
    n_jobs : int or None
        Fits at once.
    checkpoint : path or None
        File that keeps what is done.
    run : mapping
        What the file is of.
    """

    def __init__(
        self,
        model: Model,
        recording: Recording,
        fold: Index,
        *,
        entropy: int,
        n_iterations: int,
        n_jobs: int | None,
        checkpoint: str | os.PathLike[str] | None,
        run: Mapping[str, Any],
    ) -> None:
        self.model, self.recording, self.fold = model, recording, fold
        self._entropy, self._n_iterations, self._n_jobs = entropy, n_iterations, n_jobs
        self._file = None if checkpoint is None else Checkpoint.at(checkpoint, run, "fit")
        self._done: dict[str, Solution] = {}
        found = None if self._file is None else self._file.read()
        if found is not None:
            self._restore(*found)

    def run(self, jobs: Sequence[Job], text: str) -> list[Solution]:
        """Return the fits, those of the file as they are there.

        Warns
        -----
        PopdynWarning
            Of fits that diverged.
        """
        open_jobs = [job for job in jobs if job.name not in self._done]
        tasks = (joblib.delayed(self._one)(job) for job in open_jobs)
        parallel = joblib.Parallel(
            n_jobs=self._n_jobs, prefer="threads", return_as="generator", batch_size=1
        )
        results = parallel(tasks)
        for job, found in zip(open_jobs, watched(results, len(open_jobs), text), strict=True):
            _refuse_infinite(found)
            self._done[job.name] = found
            self._keep()
        solutions = [self._done[job.name] for job in jobs]
        lost = [job for job, one in zip(jobs, solutions, strict=True) if one.diverged]
        if lost:
            ranks = sorted({job.n_ranks for job in lost} - {FULL})
            named = f"of rank {', '.join(map(str, ranks))}" if ranks else "of full rank"
            warn(
                f"{len(lost)} of {len(jobs)} fits ({named}) diverged: states or loss became "
                "infinite. Each keeps the best weights it had; a bounded nonlinearity such as "
                "'tanh', smaller inputs or shorter steps (dt) keep states finite"
            )
        return solutions

    def items(self, job: Job) -> Index:
        """Return the items that a fit sees."""
        return np.flatnonzero(self.fold != job.fold)

    def model_of(self, job: Job) -> Model:
        """Return the model of a fit, which knows nothing of items that are held out."""
        return self.model.in_units_of(self.recording, self.items(job))

    def _one(self, job: Job) -> Solution:
        """Fit one."""
        model, rng = self.model_of(job), job.generator(self._entropy)
        start = model.start(job.n_ranks or None, rng)
        items = self.items(job)
        lesson = model.lesson(self.recording, items)
        if job.shuffled:
            lesson = lesson._replace(inputs=self._of_others(items, rng))
        n_left, prior = self._n_iterations, model.prior(self.recording, items, list(start))
        if prior:
            # A weak one first: at full strength loadings shrink before they are found.
            weak = {name: (mean, _WEAK * pull) for name, (mean, pull) in prior.items()}
            n_first = n_left // 2
            first = solve(start, dict(model.fixed), model.circuit, lesson, n_first, weak)
            start, n_left = model.upright(first.parameters), n_left - n_first
        found = solve(start, dict(model.fixed), model.circuit, lesson, n_left, prior)
        return replace(found, parameters=model.upright(found.parameters))

    def _of_others(self, items: Index, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return inputs of which each condition has those of another."""
        condition = self.recording.condition[items]
        known = np.unique(condition)
        order = rng.permutation(known)
        other = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
        first = {number: items[condition == number][0] for number in known.tolist()}
        return self.recording.inputs[[first[other[number]] for number in condition.tolist()]]

    def _keep(self) -> None:
        """Write all that is done."""
        if self._file is None:
            return
        arrays = {
            f"{name}/{key}": values
            for name, one in self._done.items()
            for key, values in {**one.parameters, "loss": one.loss}.items()
        }
        diverged = {name: one.diverged for name, one in self._done.items()}
        self._file.write(arrays, {"diverged": diverged})

    def _restore(self, arrays: dict[str, Any], progress: dict[str, Any]) -> None:
        """Take up what `_keep` wrote."""
        for name, diverged in progress["diverged"].items():
            own = {
                key.removeprefix(f"{name}/"): values
                for key, values in arrays.items()
                if key.startswith(f"{name}/")
            }
            loss = own.pop("loss")
            self._done[name] = Solution(own, loss, bool(diverged))


def _refuse_infinite(found: Solution) -> None:
    """Refuse a start that cannot be bettered.

    Raises
    ------
    FitError
        Saying what makes states infinite.
    """
    if not np.isfinite(found.loss[0]):
        message = (
            "the loss is infinite before the fit: inputs or activity are too large, or steps too "
            "long. Rescale them to the order of 1, or give a smaller dt"
        )
        raise FitError(message)
