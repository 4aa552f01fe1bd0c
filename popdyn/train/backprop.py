"""Backpropagation through time: rate networks of any rank learn a task by the gradient."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.network.real_numbers import real_number
from popdyn.resample import Seed, as_generator
from popdyn.simulation.arguments import check_jobs, check_known
from popdyn.tasks import Task
from popdyn.train.backprop_learner import (
    BackpropLearner,
    BackpropSettings,
    TrialLessons,
    check_fits,
    lesson_of_trials,
    loss_of_outputs,
)
from popdyn.train.begin import begin, positive
from popdyn.train.course import Course, check_count, run_course
from popdyn.train.learnable import learn_words, read_learn
from popdyn.train.signs import honest_populations
from popdyn.train.stream import Filters

Network = TypeVar("Network", Rate, LowRank)

# Batches that are drawn at once.
_N_DRAWN = 10
# Trials that tell the loss of outputs that stay 0, and times that loss which are too much.
_N_SHOWN, _FAR = 64, 2.0


def backprop(
    net: Network,
    task: Task,
    *,
    n_trials: int = 12800,
    n_validation: int = 200,
    validate_every: int = 640,
    learn: Sequence[str] | Mapping[str, Any] | None = None,
    learning_rate: float | None = None,
    half_life: float | None = None,
    batch: int = 32,
    clip: float = 1.0,
    noise_step: float = 0.05,
    activity_penalty: float = 0.0,
    weight_penalty: float = 0.0,
    patience: int | None = None,
    precision: Literal["float32", "float64"] = "float32",
    n_jobs: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    rng: Seed = 0,
) -> tuple[Network, xr.Dataset]:
    """Train a rate network by the gradient of the squared error of its outputs.

    Each trial starts anew from the network's first state, 0 or that of a `LowRank` network.  The
    loss is the squared error of the outputs at the ends of the steps of the task's mask, averaged
    over them, over outputs and trials, and Adam steps along its gradient.  What was learned is
    tested on fresh trials, with noise, after every `validate_every` trials.

    Parameters
    ----------
    net : Rate or LowRank
        Where learning starts.  The time it takes grows with the number of neurons times the rank
        of a `LowRank` network, and with the square of the neurons of a `Rate` network.
    task : Task
        Gives the trials, and says what the output means.
    n_trials : int
        Trials to learn from.
    n_validation : int
        Fresh trials of each test, and of the last one after the best was chosen.
    validate_every : int
        Trials between two tests.
    learn : sequence of str or mapping, optional
        What of the network changes: of a `LowRank` network any of ``"m"``, ``"n"``, ``"input"``,
        ``"output"`` (these by default), ``"bias"``, ``"output_bias"``, ``"initial"``; of a `Rate`
        network any of ``"recurrent"``, ``"input"``, ``"output"`` (by default), ``"bias"``,
        ``"output_bias"``.  A mapping says which weights: for each name ``True``, or an array of
        ``True`` and ``False`` of its shape; ``{"recurrent": net.recurrent != 0}`` keeps
        connections absent that are.
    learning_rate : float, optional
        Of Adam; by default 0.01 of a `LowRank` network, whose entries are of order 1, and
        ``0.01 / sqrt(n_neurons)`` of others.
    half_life : float, optional
        Trials after which the learning rate is half as large; it stays as it is by default.
    batch : int
        Trials of a step.
    clip : float
        Largest norm of the gradient, which is shortened to it.
    noise_step : float
        Standard deviation of what is added to each state at each step, learning or tested.
    activity_penalty : float
        Added to the loss times the mean squared rate, up to the last step that counts.
    weight_penalty : float
        Added to the loss times the sum of all squared weights that are learned over the number of
        neurons.
    patience : int, optional
        Tests in a row without a higher accuracy after which training ends.
    precision : {"float32", "float64"}
        Of states and gradients; what is learned is kept in double precision.
    n_jobs : int, optional
        Threads (joblib) that share the trials of a batch; None is one.  Results are the same bits.
    checkpoint : path-like, optional
        File (``.npz``) in which the state is kept at every test: the same call goes on from there
        to the same bits.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    net : Rate or LowRank
        The network of the test with the highest accuracy.  Names of populations of a `Rate`
        network, excitatory or inhibitory, that no longer hold are left out.
    history : xarray.Dataset
        ``n_trials (checkpoint)`` learned so far; ``loss (checkpoint)`` of the trials since the
        last test, with its penalties; ``validation_loss (checkpoint)``, the same without them,
        ``accuracy (checkpoint)`` and ``accuracy_bound (bound, checkpoint)``, its 95 % Wilson
        interval, on fresh trials;
        ``best``, the position of the test that was chosen, ``final_accuracy`` and
        ``final_accuracy_bound (bound)`` of that network on other fresh trials, and
        ``n_restarts``, divergences survived.

    Raises
    ------
    TensorError
        If an argument makes no sense, or the network does not fit the task.
    FitError
        If learning diverges again and again before the first test.
    SourceError
        If the checkpoint cannot be gone on from.

    Warns
    -----
    PopdynWarning
        If learning diverged and went on half as fast, or ended with the best network before it,
        if what came back is worse than outputs that stay 0, or if the checkpoint could not be
        written.

    See Also
    --------
    rank_search : the smallest rank with which a task is learned.
    many : many networks, each into a file.

    References
    ----------
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.
    Kingma & Ba (2015), ICLR.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(100, n_ranks=1, rng=0)
    >>> task = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
    >>> net, history = pdn.train.backprop(net, task, n_trials=1280, rng=0)
    >>> float(history["final_accuracy"]) > 0.9
    True
    """
    generator, seed = as_generator(rng)
    parameters: dict[str, Any] = {
        "n_trials": n_trials,
        "n_validation": n_validation,
        "validate_every": validate_every,
        "learn": learn_words(learn),
        "learning_rate": learning_rate,
        "half_life": half_life,
        "batch": batch,
        "clip": clip,
        "noise_step": noise_step,
        "activity_penalty": activity_penalty,
        "weight_penalty": weight_penalty,
        "patience": patience,
        "precision": precision,
    }
    kinds = (Rate, LowRank)
    start = begin("backprop", net, task, parameters, generator, seed, checkpoint, kinds=kinds)
    check_count("batch", batch)
    if patience is not None:
        check_count("patience", patience)
    check_known("precision", precision, ("float32", "float64"))
    check_jobs(n_jobs)
    low_rank = isinstance(net, LowRank)
    usual = 0.01 if low_rank else 0.01 / net.n_neurons**0.5
    settings = BackpropSettings(
        learn=read_learn(learn, net),
        learning_rate=usual if learning_rate is None else positive("learning_rate", learning_rate),
        half_life=None if half_life is None else positive("half_life", half_life),
        batch=batch,
        clip=positive("clip", clip),
        noise_step=noise_step,
        activity_penalty=_price("activity_penalty", activity_penalty),
        weight_penalty=_price("weight_penalty", weight_penalty),
        precision=precision,
        n_jobs=n_jobs,
    )
    check_fits(net, task)
    course = Course(
        n_trials,
        n_validation,
        validate_every,
        noise_step=noise_step,
        continuous=False,
        n_block=_N_DRAWN * batch,
        patience=patience,
        loss_of=partial(loss_of_outputs, noise_step=noise_step),
        softened="learning goes on half as fast",
        advice="lower learning_rate or clip, or the weights it starts from",
    )
    learner = BackpropLearner(net, settings)
    lessons = TrialLessons(task, net.dt, Filters.of(0.0, 0.0, net.dt), start.seeds)
    trained: Any
    trained, history = run_course(learner, lessons, course, start.checkpoint, start.about)
    _say_worse_than_nothing(history, task, net.dt)
    if isinstance(net, Rate):
        trained = honest_populations(trained, net)
    return trained, history


def _say_worse_than_nothing(history: xr.Dataset, task: Task, dt: float) -> None:
    """Warn of a network whose loss is far larger than that of outputs that stay 0.

    Warns
    -----
    PopdynWarning
        With both.
    """
    lesson = lesson_of_trials(task.sample(_N_SHOWN, 0, dt=dt), np.zeros(_N_SHOWN, np.uint64))
    silent = float(np.nansum(lesson.weight * lesson.target**2)) / _N_SHOWN
    loss = float(history["validation_loss"][int(history["best"])])
    if silent > 0 and loss > _FAR * silent:
        warn(
            f"the network that comes back has a loss of {loss:.2g} on fresh trials, outputs that "
            f"stay 0 one of {silent:.2g}: learning did not settle. Lower learning_rate or clip, or "
            "the weights it starts from"
        )


def _price(name: str, given: float) -> float:
    """Read a price.

    Raises
    ------
    TensorError
        If it is negative or no number.
    """
    value = real_number(name, given, "0 (none) or a positive number")
    if value < 0:
        message = f"{name} must be 0 (none) or a positive number, found {given!r}"
        raise TensorError(message)
    return value
