"""What happened in a training: kept while it runs, and told as its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from popdyn.resample import BOUND
from popdyn.tensor.result import make_result
from popdyn.train.validate import Score


@dataclass
class Record:
    """What happened so far; stored with every checkpoint."""

    n_blocks: int = 0
    n_restarts: int = 0
    best: int = -1
    n_trials: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    bound: list[list[float]] = field(default_factory=list)
    losses_since: list[float] = field(default_factory=list)

    def words(self) -> str:
        """Say how far the training is; nothing before the first test."""
        if not self.accuracy:
            return ""
        return f"loss {self.loss[-1]:.2g}, accuracy {self.accuracy[-1]:.2f}"

    def since_best(self) -> int:
        """Return how many tests in a row brought no higher accuracy than any before."""
        highest = np.fmax.accumulate([-1.0, *self.accuracy])
        return len(self.accuracy) - int(np.argmax(highest))

    def add(self, n_trials: int, score: Score) -> bool:
        """Note a test; tell whether it is the best so far, on accuracy alone."""
        self.n_trials.append(n_trials)
        self.loss.append(float(np.mean(self.losses_since)) if self.losses_since else np.nan)
        self.losses_since = []
        self.validation_loss.append(score.loss)
        self.accuracy.append(score.accuracy)
        self.bound.append(score.bound.tolist())
        best = self.accuracy[self.best] if self.best >= 0 else -1.0
        # Of equals the one that learned most.
        if not score.accuracy >= best:
            return False
        self.best = len(self.accuracy) - 1
        return True


def history_of(record: Record, final: Score, about: Mapping[str, Any]) -> xr.Dataset:
    """Label what happened."""
    one = {"units": "1"}
    variables = {
        "loss": ("checkpoint", record.loss, one),
        "validation_loss": ("checkpoint", record.validation_loss, one),
        "accuracy": ("checkpoint", record.accuracy, one),
        "accuracy_bound": (("bound", "checkpoint"), np.array(record.bound).T, one),
        "best": ((), record.best, {"description": "position of the checkpoint returned"}),
        "final_accuracy": ((), final.accuracy, one),
        "final_accuracy_bound": ("bound", final.bound, one),
        "n_restarts": ((), record.n_restarts, {"description": "divergences survived"}),
    }
    coords = {
        "bound": BOUND,
        "n_trials": ("checkpoint", np.array(record.n_trials), {"description": "trials learned"}),
    }
    return make_result(variables, coords=coords, **about)
