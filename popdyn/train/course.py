"""The course of a training: blocks of trials to learn on, tests with learning off, the best kept.

What a block of trials is depends on the seed and on its number alone, so that a training that was
interrupted goes on to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.errors import FitError, TensorError, warn
from popdyn.network.kinds import Network
from popdyn.progress import Progress
from popdyn.tasks import Task
from popdyn.train.checkpoint import Checkpoint
from popdyn.train.record import Record, history_of
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

    def network(self, weights: Mapping[str, NDArray[Any]]) -> Network:
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
    noise_step : float
        The other convention of it, see `popdyn.simulate`.
    continuous : bool
        Whether the network is never reset in a test.
    n_block : int
        Trials that are drawn at once.
    patience : int or None
        Tests in a row without a higher accuracy after which training ends.
    loss_of : function or None
        Gives the loss of a network on the trials of a test, if it is no squared error of outputs
        averaged over 10 ms.
    softened, advice : str
        What is done when learning diverged, and what can be done by who reads it.
    """

    n_trials: int
    n_validation: int
    validate_every: int
    noise_density: float = 0.0
    noise_step: float = 0.0
    continuous: bool = True
    n_block: int = _BLOCK
    patience: int | None = None
    loss_of: Callable[[Any, Any, np.random.Generator], float] | None = None
    softened: str = "the inverse correlations start anew"
    advice: str = "raise regularization, or lower the weights, the noise or the size of the inputs"

    def __post_init__(self) -> None:
        for name in ("n_trials", "n_validation", "validate_every"):
            check_count(name, getattr(self, name))

    def blocks(self) -> list[tuple[int, bool]]:
        """Return the number of trials of each block, and whether a test follows."""
        blocks = []
        for first in range(0, self.n_trials, self.validate_every):
            n_here = min(self.validate_every, self.n_trials - first)
            sizes = [min(self.n_block, n_here - at) for at in range(0, n_here, self.n_block)]
            blocks += [(size, False) for size in sizes[:-1]] + [(sizes[-1], True)]
        return blocks

    def is_over(self, record: Record) -> bool:
        """Tell whether learning goes on to no end."""
        return self.patience is not None and record.since_best() >= self.patience


def run_course(
    learner: Learner,
    lessons: Lessons,
    course: Course,
    checkpoint: Checkpoint | None,
    about: Mapping[str, Any],
) -> tuple[Network, xr.Dataset]:
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
    net : Rate, LowRank or Spiking
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
) -> tuple[Network, xr.Dataset]:
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
                if course.is_over(record) or not _learn(learner, lessons, course, record, n_trials):
                    break
                record.n_blocks = number + 1
                if tests:
                    best = _test(learner, lessons, course, record, blocks, best)
                    if checkpoint is not None:
                        _store(checkpoint, learner, lessons, record, best)
            bar.step(record.words() or text, n_trials)
    if record.best < 0:
        message = (
            "the network never came through a test: rates grew beyond all bounds each time. Lower "
            "its weights, or the noise"
        )
        raise FitError(message)
    net = learner.network(best)
    final = _score(net, lessons, course, FINAL, record.best)
    return net, history_of(record, final, about)


def _learn(
    learner: Learner, lessons: Lessons, course: Course, record: Record, n_trials: int
) -> bool:
    """Learn the next block; a divergence is said, and others learned from where it started.

    Returns
    -------
    bool
        False if it diverges again and again, and a network of before is kept.
    """
    number = record.n_blocks
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
            return True
        record.n_restarts += 1
        warn(
            f"{what} in block {number} of the training, attempt {attempt + 1} of {_MOST_RESTARTS}: "
            f"{course.softened} from the weights before it, on other trials"
        )
        learner.restore(before)
        lessons.filters.restore(filters)
        learner.soften()
        before = {name: array.copy() for name, array in learner.arrays().items()}
    message = f"training diverges in block {number} again and again ({what})"
    if record.best < 0:
        message += f": {course.advice}"
        raise FitError(message)
    warn(f"{message}, and ends: the best network before it is kept. To go on {course.advice}")
    return False


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


def _score(net: Network, lessons: Lessons, course: Course, kind: int, number: int) -> Score:
    """Test a network on trials of their own stream."""
    generator = lessons.generators(kind, number)[0]
    return validate(
        net,
        lessons.task,
        course.n_validation,
        generator,
        course.noise_density,
        noise_step=course.noise_step,
        continuous=course.continuous,
        loss_of=course.loss_of,
    )


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
