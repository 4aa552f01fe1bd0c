"""How many populations a low-rank network needs: Gaussians of its loadings, and networks of them.

A population is a Gaussian cloud of loadings.  Networks are drawn anew from one, two, three such
clouds fitted to a trained network; the smallest number whose networks still do the task is the
number of populations that its computation needs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import stdtrit

from popdyn.analysis.mixtures import Mixture, zero_mean_mixture
from popdyn.dynamics.populations_resample import (
    check_resampled,
    loading_cloud,
    loading_names,
    resample_network,
)
from popdyn.errors import TensorError, warn
from popdyn.network.low_rank import LowRank
from popdyn.network.real_numbers import real_number
from popdyn.progress import watched
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.simulation.arguments import check_whole
from popdyn.tasks import Task
from popdyn.tensor.result import digest, make_result
from popdyn.train.validate import validate, wilson_interval

Array = NDArray[np.float64]


def populations(
    net: LowRank,
    n_populations: int | str = "auto",
    *,
    task: Task | None = None,
    largest: int = 4,
    n_resamples: int = 10,
    n_neurons: int | None = None,
    n_trials: int = 256,
    accuracy: float = 0.95,
    noise_step: float = 0.05,
    n_starts: int = 50,
    rng: Seed = 0,
) -> xr.Dataset:
    """Sort neurons into populations by their loadings, as many as the task needs.

    The loadings of all neurons (`m`, `n`, input and output weights, bias and first state where
    there are any) are fitted by a mixture of Gaussians about zero.  From each Gaussian the
    loadings of as many neurons are drawn again (`resample_network`), and the network of them is
    tested on fresh trials.  If networks of a single Gaussian do the task, it needs no populations.

    Parameters
    ----------
    net : LowRank
        The network, trained on the task.
    n_populations : int or "auto"
        How many to sort into, or the smallest number up to `largest` whose networks do the task.
    task : Task, optional
        Gives the trials, and says what the output means; may be left out with a number of
        populations, which are then not tested.
    largest : int
        Largest number that ``"auto"`` tries.
    n_resamples : int
        Networks drawn for each number.
    n_neurons : int, optional
        Neurons of a drawn network, by default those of `net`.
    n_trials : int
        Fresh trials on which each is tested.
    accuracy : float
        Mean share of correct trials that counts as doing the task.
    noise_step : float
        Noise of a step on each state in these tests, as in `popdyn.train.backprop`: give that with
        which the network was trained.
    n_starts : int
        Fits of each mixture from random memberships, of which the best is kept.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    xarray.Dataset
        Method ``"populations"``.  ``label (neuron)``, the population of each neuron, ``"1"`` the
        largest; ``probability (population, neuron)`` of each; ``share (population)`` of the
        neurons; ``loading_value (neuron, loading)`` and ``overlap (population, loading,
        loading_2)``, mean products of loadings.  With a task, by number ``tried``:
        ``accuracy (tried, resample)``, 0 where rates grew beyond all bounds;
        ``mean_accuracy (tried)`` and ``mean_accuracy_bound (bound, tried)``, the interval (95 %)
        over resamples and trials; ``network_accuracy`` and ``network_accuracy_bound (bound)`` of
        `net` itself; ``n_populations``, the smallest number tried that does the task, NaN if none
        does: labels are then of the last number tried.

    Raises
    ------
    TensorError
        If `net` is no `LowRank`, its neurons differ in gain or time constant, ``"auto"`` has no
        task, or a number makes no sense.
    FitError
        If there are too few neurons for a mixture, or no trial has a right answer.

    Warns
    -----
    PopdynWarning
        If the network itself does not do the task, or a mixture has fewer populations than it
        could.

    See Also
    --------
    resample_network, population_gains
    popdyn.dynamics.reduce : the overlaps of each population, and what follows from them.

    References
    ----------
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
    >>> start = pdn.network.LowRank.random(200, rng=0)
    >>> net, _ = pdn.train.backprop(start, task, n_trials=1280, rng=0)
    >>> result = pdn.dynamics.populations(net, task=task, n_resamples=4, n_trials=64)
    >>> int(result["n_populations"])
    1
    """
    check_resampled(net)
    numbers = _numbers(n_populations, largest, task)
    for name, value in {"n_resamples": n_resamples, "n_trials": n_trials}.items():
        check_whole(name, value, "for an accuracy")
    check_whole("n_starts", n_starts, "fit of a mixture")
    criterion = _share(accuracy)
    generator, seed = as_generator(rng)
    cloud = loading_cloud(net)
    drawn = _Drawn(net, task, n_resamples, n_neurons, n_trials, noise_step)
    tried: list[Array] = []
    for number in numbers:
        own, for_tests = spawn(generator, 2)
        found = zero_mean_mixture(cloud, number, own, n_starts=n_starts)
        if len(found.weight) < number:
            _say_fewer(len(found.weight), number, n_populations == "auto")
            if tried:
                break
        mixture = found
        tried += [drawn.accuracies(mixture.label, for_tests)] if task is not None else []
        if tried and tried[-1].mean() >= criterion:
            break
    variables = _described(net, mixture, cloud)
    if task is not None:
        variables |= _judged(np.array(tried), numbers, criterion, n_trials)
        variables |= _of_network(drawn, criterion, spawn(generator, 1)[0])
    names = loading_names(net)
    return make_result(
        variables,
        coords={
            "population": [str(1 + i) for i in range(len(mixture.weight))],
            "loading": names,
            "loading_2": names,
            "bound": BOUND,
            "tried": numbers[: len(tried)],
        },
        method="populations",
        parameters={
            "n_populations": n_populations,
            "n_resamples": n_resamples,
            "n_neurons": net.n_neurons if n_neurons is None else n_neurons,
            "n_trials": n_trials,
            "accuracy": criterion,
            "noise_step": noise_step,
            "n_starts": n_starts,
            "task": type(task).__name__ if task is not None else None,
        },
        seed=seed,
    ).assign_attrs(input_digest=digest(net.to_dataset()))


def _numbers(n_populations: Any, largest: Any, task: Any) -> list[int]:
    """Return the numbers of populations to try.

    Raises
    ------
    TensorError
        If they are none.
    """
    if isinstance(n_populations, str):
        if n_populations != "auto":
            message = f'n_populations must be a whole number or "auto", found {n_populations!r}'
            raise TensorError(message)
        if task is None:
            message = (
                'n_populations="auto" is the smallest number of populations whose networks do a '
                "task: give task=, or a number"
            )
            raise TensorError(message)
        check_whole("largest", largest, "population")
        return list(range(1, int(largest) + 1))
    check_whole("n_populations", n_populations, "population")
    return [int(n_populations)]


def _share(accuracy: Any) -> float:
    """Return the criterion.

    Raises
    ------
    TensorError
        If it is no share.
    """
    share = real_number("accuracy", accuracy, "a share of correct trials")
    if not 0 < share <= 1:
        message = f"accuracy must be above 0 and at most 1, found {accuracy!r}"
        raise TensorError(message)
    return share


class _Drawn(NamedTuple):
    """How networks are drawn, and tested."""

    net: LowRank
    task: Any
    n_resamples: int
    n_neurons: int | None
    n_trials: int
    noise_step: float

    def accuracies(self, label: NDArray[np.intp], rng: np.random.Generator) -> Array:
        """Return the accuracy of each network drawn from the populations."""
        found = []
        text = f"drawing networks of {1 + label.max()} populations"
        for own in watched(spawn(rng, self.n_resamples), self.n_resamples, text):
            net = resample_network(self.net, label, n_neurons=self.n_neurons, rng=own)
            found.append(self.accuracy(net, own))
        return np.asarray(np.nan_to_num(found))

    def accuracy(self, net: LowRank, rng: np.random.Generator) -> float:
        """Return the share of correct trials, NaN if rates grew beyond all bounds."""
        return validate(
            net, self.task, self.n_trials, rng, noise_step=self.noise_step, continuous=False
        ).accuracy


def _say_fewer(found: int, number: int, is_search: bool) -> None:
    """Warn that some Gaussians have no neuron."""
    tried = f'"auto" tried a mixture of {number}, and ' if is_search else ""
    warn(f"{tried}of {number} populations {found} have neurons: the loadings do not call for more")


def _described(net: LowRank, mixture: Mixture, cloud: Array) -> dict[str, Any]:
    """Return who is in which population, and its overlaps."""
    groups = [cloud[mixture.label == i] for i in range(len(mixture.weight))]
    overlap = np.array([own.T @ own / len(own) for own in groups])
    return {
        "label": ("neuron", (mixture.label + 1).astype(np.str_)),
        "probability": (("population", "neuron"), mixture.probability.T),
        "share": ("population", np.array([len(own) for own in groups]) / net.n_neurons),
        "loading_value": (("neuron", "loading"), cloud, {"units": "1"}),
        "overlap": (("population", "loading", "loading_2"), overlap, {"units": "1"}),
    }


def _judged(tried: Array, numbers: list[int], criterion: float, n_trials: int) -> dict[str, Any]:
    """Return accuracies by number of populations, and the smallest that is enough."""
    mean = tried.mean(axis=1)
    enough = np.flatnonzero(mean >= criterion)
    return {
        "accuracy": (("tried", "resample"), tried),
        "mean_accuracy": ("tried", mean),
        "mean_accuracy_bound": (("bound", "tried"), _mean_bounds(tried, n_trials)),
        "n_populations": float(numbers[enough[0]]) if enough.size else np.nan,
    }


def _mean_bounds(tried: Array, n_trials: int) -> Array:
    """Return the 95 % interval of each mean accuracy ``(bound, tried)``.

    That of Student over resamples, and at least that of the trials they were tested on: networks
    that are all perfect do not scatter.
    """
    n = tried.shape[1]
    mean = tried.mean(axis=1)
    trials = np.array([wilson_interval(one * n * n_trials, n * n_trials) for one in mean]).T
    if n < 2:
        return trials
    half = stdtrit(n - 1, 0.975) * tried.std(axis=1, ddof=1) / np.sqrt(n)
    lower = np.minimum(mean - half, trials[0])
    bounds = np.stack([lower, np.maximum(mean + half, trials[1])])
    return np.asarray(np.clip(bounds, 0.0, 1.0))


def _of_network(drawn: _Drawn, criterion: float, rng: np.random.Generator) -> dict[str, Any]:
    """Return the accuracy of the network itself."""
    own = drawn.accuracy(drawn.net, rng)
    if not own >= criterion:
        warn(
            f"the network itself is right in {own:.2f} of trials, less than {criterion:g}: that "
            "networks drawn from it fail says nothing about populations"
        )
    known = 0.0 if np.isnan(own) else own
    bound = np.array(wilson_interval(known * drawn.n_trials, drawn.n_trials))
    return {"network_accuracy": own, "network_accuracy_bound": ("bound", bound)}
