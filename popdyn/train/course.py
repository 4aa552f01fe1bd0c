"""The course of a training: blocks of trials to learn on, tests with learning off, the best kept.

What a block of trials is depends on the seed and on its number alone, so that a training that was
interrupted goes on to the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.errors import FitError, TensorError, warn
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.progress import Progress
from popdyn.resample import BOUND
from popdyn.tasks import Task
from popdyn.tensor.result import make_result
from popdyn.train.checkpoint import Checkpoint
from popdyn.train.stream import Filters, Stream, stream_of
from popdyn.train.validate import Score, validate

Arrays = dict[str, NDArray[Any]]

_BLOCK = 20
# Divergences in a row after which training gives up.
_MOST_RESTARTS = 3
_LEARNED = "learned/"
_BEST = "best/"


class Learner(Protocol):
    """A network that learns; what the rules of training differ in."""

    def prepare(self, lessons: Lessons) -> None:
        """Do what has to be done before the first trial is learned."""
        ...

    def learn(self, stream: Stream, rng: np.random.Generator) -> float:
        """Go through a block of trials, learning; return the mean squared error of the output."""
        ...

    def weights(self) -> Arrays:
        """Return what a network is made of."""
        ...

    def network(self, weights: Mapping[str, NDArray[Any]]) -> Rate | Spiking:
        """Return the network that has some `weights`."""
        ...

    def arrays(self) -> Arrays:
        """Return all that is needed to go on to the same bits."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `arrays` returned."""
        ...

    def soften(self) -> None:
        """Forget what made learning diverge, but not what was learned."""
        ...

    def diverged(self) -> str:
        """Say what grew beyond all bounds; nothing if all is well."""
        ...


@dataclass
class Lessons:
    """Blocks of trials of a task, one after the other, as streams of steps.

    Parameters
    ----------
    task : Task
        The task.
    dt : float
        Step in seconds.
    filters : Filters
        Of targets and hints; go on from block to block.
    seeds : SeedSequence
        Where blocks come from.
    """

    task: Task
    dt: float
    filters: Filters
    seeds: np.random.SeedSequence

    def block(self, kind: int, number: int, n_trials: int) -> tuple[Stream, np.random.Generator]:
        """Draw a block; return it and a generator for whatever else is random in it."""
        trials_rng, own = self.generators(kind, number)
        trials = self.task.sample(n_trials, trials_rng, dt=self.dt)
        return stream_of(self.task, trials, self.filters), own

    def generators(self, kind: int, number: int) -> list[np.random.Generator]:
        """Return two generators that depend on the seed, the kind and the number alone."""
        key = (*self.seeds.spawn_key, kind, number)
        child = np.random.SeedSequence(self.seeds.entropy, spawn_key=key)
        return [np.random.default_rng(seed) for seed in child.spawn(2)]


# Kinds of blocks.
PREPARE, LEARN, VALIDATE, FINAL, AGAIN = range(5)


@dataclass(frozen=True)
class Course:
    """How long to learn, and how often to test.

    Parameters
    ----------
    n_trials : int
        Trials to learn.
    n_validation : int
        Fresh trials of each test, and of the last one after the best was chosen.
    validate_every : int
        Trials between two tests.
    noise_density : float
        Noise in the network while it is tested.
    """

    n_trials: int
    n_validation: int
    validate_every: int
    noise_density: float

    def __post_init__(self) -> None:
        for name in ("n_trials", "n_validation", "validate_every"):
            check_count(name, getattr(self, name))

    def blocks(self) -> list[tuple[int, bool]]:
        """Return the number of trials of each block, and whether a test follows."""
        blocks = []
        for first in range(0, self.n_trials, self.validate_every):
            n_here = min(self.validate_every, self.n_trials - first)
            sizes = [min(_BLOCK, n_here - at) for at in range(0, n_here, _BLOCK)]
            blocks += [(size, False) for size in sizes[:-1]] + [(sizes[-1], True)]
        return blocks


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


def run_course(
    learner: Learner,
    lessons: Lessons,
    course: Course,
    checkpoint: Checkpoint | None,
    about: Mapping[str, Any],
) -> tuple[Rate | Spiking, xr.Dataset]:
    """Train, test and choose.

    Parameters
    ----------
    learner : Learner
        What learns.
    lessons : Lessons
        What it learns from.
    course : Course
        How long, and how it is tested.
    checkpoint : Checkpoint or None
        Where to keep the state, and to go on from.
    about : mapping
        ``method``, ``parameters`` and ``seed`` of the history.

    Returns
    -------
    net : Rate or Spiking
        The network of the test with the highest accuracy.
    history : Dataset
        See `popdyn.train.full_force`.

    Raises
    ------
    FitError
        If learning diverges again and again.
    SourceError
        If the checkpoint cannot be gone on from.
    """
    limits: Any = threadpool_limits
    # Products of a few hundred rows take less time than threads need to meet.
    with limits(1, user_api="blas"):
        return _run(learner, lessons, course, checkpoint, about)


def _run(
    learner: Learner,
    lessons: Lessons,
    course: Course,
    checkpoint: Checkpoint | None,
    about: Mapping[str, Any],
) -> tuple[Rate | Spiking, xr.Dataset]:
    """Do what `run_course` promises."""
    found = None if checkpoint is None else checkpoint.read()
    if found is None:
        learner.prepare(lessons)
        record = Record()
        best: Arrays = {}
        if checkpoint is not None:
            _store(checkpoint, learner, lessons, record, best)
    else:
        record, best = _restore(learner, lessons, found)
    blocks = course.blocks()
    _refuse_shorter(record, blocks, course)
    text = f"training on {course.n_trials} trials"
    with Progress(course.n_trials, text) as bar:
        for number, (n_trials, tests) in enumerate(blocks):
            if number >= record.n_blocks:
                _learn(learner, lessons, number, n_trials, record)
                record.n_blocks = number + 1
                if tests:
                    best = _test(learner, lessons, course, record, blocks, best)
                    if checkpoint is not None:
                        _store(checkpoint, learner, lessons, record, best)
            words = f"accuracy {record.accuracy[-1]:.2f}" if record.accuracy else text
            bar.step(words, n_trials)
    if record.best < 0:
        message = (
            "the network never came through a test: rates grew beyond all bounds each time. Lower "
            "its weights, or the noise"
        )
        raise FitError(message)
    net = learner.network(best)
    final = _score(net, lessons, course, FINAL, record.best)
    return net, _history(record, final, about)


def _learn(learner: Learner, lessons: Lessons, number: int, n_trials: int, record: Record) -> None:
    """Learn one block; a divergence is said, and other trials are learned from where it started."""
    before = {name: array.copy() for name, array in learner.arrays().items()}
    filters = {name: array.copy() for name, array in lessons.filters.arrays().items()}
    for attempt in range(_MOST_RESTARTS):
        # The same trials would diverge in the same way.
        kind, key = (AGAIN, number * _MOST_RESTARTS + attempt) if attempt else (LEARN, number)
        stream, own = lessons.block(kind, key, n_trials)
        loss = learner.learn(stream, own)
        what = learner.diverged()
        if not what:
            record.losses_since.append(loss)
            return
        record.n_restarts += 1
        warn(
            f"{what} in block {number} of the training, attempt {attempt + 1} of {_MOST_RESTARTS}: "
            "the inverse correlations start anew from the weights before it, on other trials"
        )
        learner.restore(before)
        lessons.filters.restore(filters)
        learner.soften()
    message = (
        f"training diverges in block {number} again and again ({what}): raise regularization, or "
        "lower the weights, the noise or the size of the inputs"
    )
    raise FitError(message)


def _test(
    learner: Learner,
    lessons: Lessons,
    course: Course,
    record: Record,
    blocks: list[tuple[int, bool]],
    best: Arrays,
) -> Arrays:
    """Test what was learned so far; return the arrays of the best network."""
    weights = learner.weights()
    score = _score(learner.network(weights), lessons, course, VALIDATE, record.n_blocks)
    n_trials = sum(size for size, _ in blocks[: record.n_blocks])
    if record.add(n_trials, score):
        return {name: array.copy() for name, array in weights.items()}
    return best


def _score(net: Rate | Spiking, lessons: Lessons, course: Course, kind: int, number: int) -> Score:
    """Test a network on trials of their own stream."""
    generator = lessons.generators(kind, number)[0]
    return validate(net, lessons.task, course.n_validation, generator, course.noise_density)


def _store(
    checkpoint: Checkpoint, learner: Learner, lessons: Lessons, record: Record, best: Arrays
) -> None:
    """Write the state."""
    arrays = {_LEARNED + name: array for name, array in learner.arrays().items()}
    arrays |= {_BEST + name: array for name, array in best.items()}
    checkpoint.write({**arrays, **lessons.filters.arrays()}, vars(record))


def _restore(
    learner: Learner, lessons: Lessons, found: tuple[Arrays, dict[str, Any]]
) -> tuple[Record, Arrays]:
    """Put back what `_store` wrote."""
    arrays, progress = found

    def part(prefix: str) -> Arrays:
        size = len(prefix)
        return {name[size:]: a for name, a in arrays.items() if name.startswith(prefix)}

    learner.restore(part(_LEARNED))
    lessons.filters.restore(arrays)
    return Record(**progress), part(_BEST)


def _refuse_shorter(record: Record, blocks: list[tuple[int, bool]], course: Course) -> None:
    """Refuse a course that ends before, or between two tests of, what was learned already."""
    done = record.n_trials[-1] if record.n_trials else 0
    here = sum(size for size, _ in blocks[: record.n_blocks])
    if record.n_blocks > len(blocks) or here != done:
        message = (
            f"the checkpoint holds {done} trials, which n_trials={course.n_trials} with "
            f"validate_every={course.validate_every} does not pass through: ask for at least as "
            "many, in whole multiples of validate_every, or start anew elsewhere"
        )
        raise TensorError(message)


def _history(record: Record, final: Score, about: Mapping[str, Any]) -> xr.Dataset:
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


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number of at least `least`.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_whole or value < least:  # type: ignore[operator]
        message = f"{name} must be at least {least}, a whole number, found {value!r:.60}"
        raise TensorError(message)
