"""FORCE: output weights learn while the network runs, and what they make is fed back."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeVar

import xarray as xr
from threadpoolctl import threadpool_limits

from popdyn.errors import TensorError
from popdyn.network.doubtful_seconds import doubted_before
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.resample import Seed, as_generator
from popdyn.simulation.arguments import check_known
from popdyn.tasks import Task
from popdyn.train.begin import begin, positive, seconds
from popdyn.train.course import Course, Learner, check_count, run_course
from popdyn.train.force_rate import ForceSettings, RateLearner
from popdyn.train.force_spiking import SpikingLearner
from popdyn.train.signs import honest_populations
from popdyn.train.stream import Filters

Network = TypeVar("Network", Rate, Spiking)


def force(
    net: Network,
    task: Task,
    *,
    n_trials: int = 200,
    n_validation: int = 100,
    validate_every: int = 50,
    noise_density: float = 0.0,
    regularization: float = 1.0,
    update_every: int = 2,
    learn_on: Literal["all", "mask"] = "all",
    target_filter: float = 0.010,
    checkpoint: str | os.PathLike[str] | None = None,
    rng: Seed = 0,
) -> tuple[Network, xr.Dataset]:
    """Train the output weights of a network by FORCE (Sussillo & Abbott 2009).

    The network runs through one trial after the other without reset.  At every `update_every`-th
    step its output weights are corrected by recursive least squares, so that the output stays
    close to the target from the first trials on; what feeds back is the output itself, errors
    included, which is how the network learns to be stable.  Feedback is what the network brings
    (``Rate.random(..., feedback=1.0)``); without, the rule fits a readout of an ongoing
    reservoir.

    Weights start at 0, and a bias of the outputs is taken away.  What was learned is tested
    with learning off, on fresh trials, after every `validate_every` trials.

    Parameters
    ----------
    net : Rate or Spiking
        The network.  Its output weights are replaced; without feedback their number follows the
        task.
    task : Task
        Gives the trials, and says what the output means.
    n_trials : int
        Trials to learn from.
    n_validation : int
        Fresh trials of each test, and of the last one after the best was chosen.
    validate_every : int
        Trials between two tests.
    noise_density : float
        Noise in the network, learning or tested, see `popdyn.simulate`.
    regularization : float
        The inverse correlations of the rates start as the identity over this, which is the
        penalty of the squared weights that the rule ends with: larger values learn more slowly.
    update_every : int
        Steps from one update to the next.
    learn_on : {"all", "mask"}
        Learn on all steps, in and between trials, or on those of the task's mask alone.
    target_filter : float
        Time constant in seconds of a causal filter on the target, so that it does not jump before
        the network can know; 0 for none.
    checkpoint : path-like, optional
        File (``.npz``) in which the state is kept at every test: the same call goes on from there
        to the same bits.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    net : Rate or Spiking
        The network of the test with the highest accuracy.  What the outputs of a spiking network
        feed back is then part of its recurrent weights, and `feedback` None; names of populations,
        excitatory or inhibitory, that no longer hold are left out.
    history : xarray.Dataset
        ``n_trials (checkpoint)`` learned so far; ``loss (checkpoint)``, the mean squared error
        of all steps since the last test, which says little, as the rule corrects every error at
        once; ``validation_loss (checkpoint)``, ``accuracy (checkpoint)`` and ``accuracy_bound
        (bound, checkpoint)``, its 95 % Wilson interval, with learning off on fresh trials;
        ``best``, the position of the test that was chosen, and ``final_accuracy``,
        ``final_accuracy_bound (bound)`` of that network on other fresh trials.

    Raises
    ------
    TensorError
        If an argument makes no sense, or the network does not fit the task.
    FitError
        If learning diverges again and again.
    SourceError
        If the checkpoint cannot be gone on from.

    Warns
    -----
    PopdynWarning
        If learning diverged and went on, the checkpoint could not be written, names of populations
        were left out, or a duration looks like milliseconds.

    References
    ----------
    Sussillo & Abbott (2009), Neuron 63:544.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(100, g=1.3, feedback=1.0, tau=0.01, dt=0.001, rng=0)
    >>> task = pdn.tasks.Oscillation(sines=[(2, 1.0)])
    >>> net, history = pdn.train.force(net, task, n_trials=20, n_validation=10, rng=0)
    >>> float(history["final_accuracy"])
    1.0
    """
    generator, seed = as_generator(rng)
    parameters: dict[str, Any] = {
        "n_trials": n_trials,
        "n_validation": n_validation,
        "validate_every": validate_every,
        "noise_density": noise_density,
        "regularization": regularization,
        "update_every": update_every,
        "learn_on": learn_on,
        "target_filter": target_filter,
    }
    start = begin("force", net, task, parameters, generator, seed, checkpoint)
    course = Course(n_trials, n_validation, validate_every, noise_density)
    filters = Filters.of(seconds("target_filter", target_filter, net.dt), 0.0, net.dt)
    check_count("update_every", update_every)
    check_known("learn_on", learn_on, ("all", "mask"))
    settings = ForceSettings(
        update_every, learn_on == "mask", positive("regularization", regularization), noise_density
    )
    # The network was doubted when it was made.
    with doubted_before():
        learner = _learner(net, _n_outputs(net, task), settings)
        lessons = start.lessons(task, net.dt, filters)
        trained: Any
        trained, history = run_course(learner, lessons, course, start.checkpoint, start.about)
        return honest_populations(trained, net), history  # type: ignore[return-value]


def _n_outputs(net: Rate | Spiking, task: Task) -> int:
    """Return how many outputs the task wants, if the network can give them."""
    trials = task.sample(1, 0, dt=net.dt)
    if "target" not in trials:
        message = f"{type(task).__name__} gives no target: FORCE needs one at every step"
        raise TensorError(message)
    n_outputs = int(trials["target"].sizes["output"])
    if net.feedback is not None and net.n_outputs != n_outputs:
        message = (
            f"the network feeds back {net.n_outputs} outputs, the task has {n_outputs}: make it "
            f"with n_outputs={n_outputs}"
        )
        raise TensorError(message)
    n_inputs = int(trials["inputs"].sizes["channel"])
    if net.n_inputs != n_inputs:
        message = (
            f"the trials have {n_inputs} input channels, the network takes {net.n_inputs}: make "
            f"it with n_inputs={n_inputs}"
        )
        raise TensorError(message)
    return n_outputs


def _learner(net: Rate | Spiking, n_outputs: int, settings: ForceSettings) -> Learner:
    """Return what learns."""
    limits: Any = threadpool_limits
    # Other numbers of threads round otherwise.
    with limits(1, user_api="blas"):
        if isinstance(net, Rate):
            return RateLearner(net, n_outputs, settings)
        return SpikingLearner(net, n_outputs, settings)
