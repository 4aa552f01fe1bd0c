"""full-FORCE: a network learns to do by itself what a target network does that is told more."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from popdyn.errors import TensorError
from popdyn.network.doubtful_seconds import doubted_before
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.resample import Seed, as_generator, spawn
from popdyn.tasks import Task
from popdyn.tasks.lesson import lesson_of
from popdyn.train.begin import begin, positive, seconds, share
from popdyn.train.course import Course, Learner, run_course
from popdyn.train.full_force_rate import RateLearner, RateSettings
from popdyn.train.full_force_spiking import SpikingLearner, SpikingSettings
from popdyn.train.signs import honest_populations
from popdyn.train.stream import Filters
from popdyn.train.target_network import (
    HINT_FILTER,
    TARGET_FILTER,
    Hints,
    hint_factors,
    read_hints,
    target_network,
)

Network = TypeVar("Network", Rate, Spiking)


def full_force(
    net: Network,
    task: Task,
    *,
    n_trials: int = 1000,
    n_validation: int = 100,
    validate_every: int = 100,
    noise_density: float = 0.0,
    regularization: float = 1.0,
    update_probability: float = 0.5,
    target: Rate | None = None,
    hints: Hints | None = None,
    share_explained: float = 0.999,
    share_trained: float | None = None,
    current_gain: float | None = None,
    target_filter: float = TARGET_FILTER,
    hint_filter: float = HINT_FILTER,
    checkpoint: str | os.PathLike[str] | None = None,
    rng: Seed = 0,
) -> tuple[Network, xr.Dataset]:
    """Train the recurrent weights of a network by full-FORCE (DePasquale et al. 2018).

    A target network, of rates and with random weights, is told the output that the task asks for
    and hints (``task.teach``).  The currents that flow in it are what the network learns to make
    from its own rates or filtered spikes, and the output along with them, by recursive least
    squares while it runs.  Errors of the senses and input noise of the task reach the network that
    learns; the target network is shown the true stimuli.

    Of a rate network the recurrent weights are those of its target network, and are replaced by
    the learned ones.  A spiking network keeps its recurrent weights, for instance inhibition of
    all by all, and the learned ones are added; its input weights are drawn anew.  It learns
    ``n_components`` currents, the principal components of those of the target network, which
    reach its neurons through orthonormal random weights times `current_gain`; the mean of these
    currents, found in 30 trials before learning, is taken away from the bias.

    Networks run through trial after trial without reset.  What was learned is tested with
    learning off, on fresh trials, after every `validate_every` trials, and the network with the
    highest accuracy is returned.

    Parameters
    ----------
    net : Rate or Spiking
        The network, without feedback.  A rate network has one ``tau`` and, without `target`, tanh
        neurons; a spiking one has no delays and one ``tau_membrane``.
    task : Task
        Gives the trials and hints, and says what the output means.
    n_trials : int
        Trials to learn from.
    n_validation : int
        Fresh trials of each test, and of the last one after the best was chosen.
    validate_every : int
        Trials between two tests.
    noise_density : float
        Noise in the network, learning or tested, see `popdyn.simulate`.
    regularization : float
        The inverse correlations of the rates start as the identity over this.
    update_probability : float
        Probability that a step learns.
    target : Rate, optional
        The target network, see `popdyn.train.target_network`; by default one with as many neurons
        is drawn, for a rate network around its own recurrent and input weights.
    hints : mapping of str to float, optional
        Factors of the task's hints by name, 1 for those not named; 0 leaves one out.
    share_explained : float
        Share of the target network's squared currents that the components learned explain, in
        (0, 1]; 1 learns the current of every neuron.
    share_trained : float, optional
        Spiking networks only: share of the neurons from whose spikes is learned, in (0, 1]; 0.5
        by default.
    current_gain : float, optional
        Spiking networks only: current of a neuron, in the unit of its potential, per current of
        the target network; 6 by default.
    target_filter, hint_filter : float
        Time constants, in seconds, of causal filters on targets and hints, so that they do not
        jump before a network can know; 0 for none.
    checkpoint : path-like, optional
        File (``.npz``) in which the state is kept at every test: the same call goes on from there
        to the same bits.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    net : Rate or Spiking
        The network of the test with the highest accuracy.  Learned weights have both signs: names
        of populations, excitatory or inhibitory, that no longer hold are left out.
    history : xarray.Dataset
        ``n_trials (checkpoint)`` learned so far; ``loss (checkpoint)``, the mean squared error
        of the steps that count since the last test, which says little, as the rule corrects all at
        once; ``validation_loss (checkpoint)``, ``accuracy (checkpoint)`` and ``accuracy_bound
        (bound, checkpoint)``, its 95 % Wilson interval, with learning off on fresh trials;
        ``best``, the position of the test that was chosen, and ``final_accuracy``,
        ``final_accuracy_bound (bound)`` of that network on other fresh trials.

    Raises
    ------
    TensorError
        If an argument makes no sense, or network, target network and task do not fit.
    FitError
        If learning diverges again and again, or neurons driven by the target network's currents
        are silent.
    SourceError
        If the checkpoint cannot be gone on from.

    Warns
    -----
    PopdynWarning
        If learning diverged and went on, the checkpoint could not be written, names of populations
        were left out, or a duration looks like milliseconds.

    See Also
    --------
    popdyn.train.force : learns the output weights alone.
    popdyn.train.target_trials : to simulate the target network by itself.

    References
    ----------
    DePasquale, Cueva, Rajan, Escola & Abbott (2018), PLoS ONE 13:e0191527.
    DePasquale, Churchland & Abbott (2016), arXiv:1601.07620.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(100, g=1.5, tau=0.01, dt=0.001, rng=0)
    >>> task = pdn.tasks.Oscillation(sines=[(2, 1.0)])
    >>> net, history = pdn.train.full_force(net, task, n_trials=20, n_validation=10, rng=0)
    >>> float(history["final_accuracy"])
    1.0
    """
    _refuse_of_spikes(net, share_trained=share_trained, current_gain=current_gain)
    parameters: dict[str, Any] = {
        "n_trials": n_trials,
        "n_validation": n_validation,
        "validate_every": validate_every,
        "noise_density": noise_density,
        "regularization": positive("regularization", regularization),
        "update_probability": share("update_probability", update_probability),
        "hints": read_hints(hints),
        "share_explained": share("share_explained", share_explained),
        "share_trained": share("share_trained", 0.5 if share_trained is None else share_trained),
        "current_gain": positive("current_gain", 6.0 if current_gain is None else current_gain),
        "target_filter": target_filter,
        "hint_filter": hint_filter,
    }
    course = Course(n_trials, n_validation, validate_every, noise_density)
    _refuse_no_rate_network(target)
    generator, seed = as_generator(rng)
    start = begin("full_force", net, task, parameters, generator, seed, checkpoint, target)
    filters = Filters.of(
        seconds("target_filter", target_filter, net.dt),
        seconds("hint_filter", hint_filter, net.dt),
        net.dt,
    )
    # The network was doubted when it was made.
    with doubted_before():
        learner = _learner(net, task, target, parameters, generator)
        lessons = start.lessons(task, net.dt, filters)
        trained: Any
        trained, history = run_course(learner, lessons, course, start.checkpoint, start.about)
        return honest_populations(trained, net), history  # type: ignore[return-value]


def _learner(
    net: Rate | Spiking,
    task: Task,
    target: Rate | None,
    parameters: dict[str, Any],
    generator: np.random.Generator,
) -> Learner:
    """Return what learns, with its target network."""
    state_rng, target_rng = spawn(generator, 2)
    lesson = lesson_of(task, task.sample(1, np.random.default_rng(0), dt=net.dt))
    names = [str(name) for name in lesson["hint"].to_numpy()]
    factors = hint_factors(names, parameters["hints"])
    n_outputs, n_inputs = lesson.sizes["output"], lesson.sizes["channel"]
    n_told = n_outputs + len(names)
    if target is not None:
        _check_target(target, net.dt, n_told + n_inputs, names)
    shared = ("share_explained", "update_probability", "regularization", "noise_density")
    told = {"factors": factors, **{name: parameters[name] for name in shared}}
    if isinstance(net, Rate):
        if target is None:
            target = _around(net, n_told, n_inputs, target_rng)
        return RateLearner(net, target, n_outputs, RateSettings(**told), state_rng)
    if target is None:
        target = target_network(task, net.n_neurons, dt=net.dt, rng=target_rng)
    own = {name: parameters[name] for name in ("share_trained", "current_gain")}
    limits: Any = threadpool_limits
    # Other numbers of threads round otherwise.
    with limits(1, user_api="blas"):
        return SpikingLearner(net, target, n_outputs, SpikingSettings(**told, **own), state_rng)


def _around(net: Rate, n_told: int, n_inputs: int, rng: np.random.Generator) -> Rate:
    """Return a target network with the recurrent and input weights of a network."""
    if net.nonlinearity != "tanh" or np.ndim(net.tau) or net.gain is not None or net.bias.any():
        message = (
            "the target network is made around net, which then needs tanh neurons with one tau, "
            "without gain and bias; give another target, pdn.train.target_network(task, ...)"
        )
        raise TensorError(message)
    if net.n_inputs != n_inputs:
        message = (
            f"the task has {n_inputs} input channels, the network takes {net.n_inputs}: make it "
            f"with n_inputs={n_inputs}"
        )
        raise TensorError(message)
    told = rng.uniform(-1.0, 1.0, (net.n_neurons, n_told))
    silent = np.zeros((1, net.n_neurons))
    weights = np.concatenate([told, net.input], axis=1)
    return Rate(net.recurrent, weights, silent, tau=net.tau, dt=net.dt)


def _refuse_of_spikes(net: Any, **given: float | None) -> None:
    """Refuse what only spiking networks can be told, given a rate network."""
    told = [name for name, value in given.items() if value is not None]
    if told and isinstance(net, Rate):
        message = (
            f"{' and '.join(told)}: for spiking networks only, and net is a rate network: "
            "leave them out"
        )
        raise TensorError(message)


def _refuse_no_rate_network(target: Any) -> None:
    """Refuse a target that is no rate network."""
    if target is not None and not isinstance(target, Rate):
        message = (
            "target must be a rate network, pdn.train.target_network(task, ...), found "
            f"{type(target).__name__}"
        )
        raise TensorError(message)


def _check_target(target: Rate, dt: float, n_told: int, hints: list[str]) -> None:
    """Refuse a target network that cannot be told what it has to know."""
    if target.n_inputs != n_told or target.dt != dt:
        message = (
            f"the target network takes {target.n_inputs} inputs in steps of {target.dt:g} s; it "
            f"must take {n_told} (the targets, the hints {', '.join(hints)}, and the inputs) in "
            f"steps of {dt:g} s: make it with pdn.train.target_network(task, dt={dt:g})"
        )
        raise TensorError(message)
    plain = target.nonlinearity == "tanh" and not np.ndim(target.tau)
    if not plain or target.gain is not None or target.bias.any() or target.feedback is not None:
        message = (
            "a target network has tanh neurons with one tau, without gain, bias and feedback: "
            "make it with pdn.train.target_network(task, ...)"
        )
        raise TensorError(message)
