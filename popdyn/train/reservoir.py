"""Train the output weights alone: a linear readout of a fixed, random network.

The network is a reservoir; ridge regression finds output weights ``W = (RᵀR + λI)⁻¹ RᵀF``
that turn its rates, or filtered spikes, ``R`` into the task's target ``F`` on the steps that
count.
"""

from __future__ import annotations

import dataclasses
import os
from contextlib import nullcontext
from typing import Any, Literal, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.simulation.steps import Array, single_thread
from popdyn.tasks import Task
from popdyn.tensor.result import digest, make_result
from popdyn.train.checkpoint import Checkpoint
from popdyn.train.course import check_count
from popdyn.train.identity import is_own, own_task
from popdyn.train.own_tasks import check_own_task, check_task
from popdyn.train.samples import Samples, collect
from popdyn.train.validate import wilson_interval

Network = TypeVar("Network", Rate, Spiking)
Arrays = dict[str, NDArray[Any]]

# Candidates for λ as multiples of the mean eigenvalue of RᵀR, and folds of trials to judge them.
_CANDIDATES = np.logspace(-8, 1, 19)
_N_FOLDS = 5
_TILE = 256


def reservoir(
    net: Network,
    task: Task,
    *,
    n_trials: int = 200,
    n_validation: int = 200,
    regularization: float | Literal["cv"] = "cv",
    noise_density: float = 0.1,
    checkpoint: str | os.PathLike[str] | None = None,
    rng: Seed = 0,
) -> tuple[Network, xr.Dataset]:
    """Fit the output weights of a network to a task by ridge regression.

    The recurrent and input weights stay as they are.  There is no intercept, and a bias of the
    outputs is taken away: a constant output can only come from the rates.  The outputs of a
    spiking network are sums of its filtered spikes, slow and fast: both kinds of weights are
    fitted.

    It shares `n_trials`, `n_validation`, `noise_density`, `checkpoint` and `rng` with the rules
    that learn while the network runs; there is one test, at the end, and no `validate_every`.
    `regularization` is the penalty λ here.

    Parameters
    ----------
    net : Rate or Spiking
        The reservoir; its output weights are replaced, their number follows the task.
    task : Task
        Gives the trials, and says what the output means.
    n_trials : int
        Trials to fit on.
    n_validation : int
        Fresh trials, drawn after the fit, on which accuracy and loss are reported.
    regularization : float or "cv"
        The penalty λ of the squared output weights, in units of summed squared rates, or "cv"
        to choose it by 5-fold cross-validation over trials.
    noise_density : float
        Noise in the network while fitting and validating, in units of the state (of a spiking
        network the potential) per sqrt(second), see `popdyn.simulate`.  Weights fitted without
        noise (0) rely on tiny differences between rates and fail as soon as the network is noisy.
    checkpoint : path-like, optional
        File (``.npz``) in which the finished fit is kept: the same call returns it from there.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    net : Rate or Spiking
        The network with fitted output weights.
    history : xarray.Dataset
        With the variables of the other rules of training, and one ``checkpoint``: ``n_trials``,
        ``loss`` on the trials fitted, ``validation_loss`` and ``accuracy`` on fresh ones (catch
        trials left out) with ``accuracy_bound (bound, checkpoint)``, its 95 % Wilson interval.
        Nothing is chosen on the fresh trials, so ``final_accuracy`` and ``final_accuracy_bound
        (bound)`` are the same.  Besides ``regularization``, the λ used; with "cv" also
        ``candidate_loss (candidate)``, the cross-validated loss of each candidate λ.  Losses are
        mean squared errors over the steps that count, averaged over trials.

    Raises
    ------
    TensorError
        If `n_trials` or `n_validation` is too small, `regularization` is negative, the network is
        none or has feedback, the task is none, or the samples do not fit in memory.
    FitError
        If λ = 0 and the weights are not determined.
    SourceError
        If the checkpoint is that of another fit.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(100, g=0.9, rng=0)
    >>> net, history = pdn.train.reservoir(net, pdn.tasks.PerceptualDecision(), rng=0)
    >>> bool(history["final_accuracy"] > 0.9)
    True
    """
    check_net_and_task(net, task)
    _check_arguments(n_trials, n_validation, regularization)
    if net.feedback is not None:
        message = (
            "the outputs of this network feed back onto its neurons: weights fitted to its rates "
            "would change those rates. Fit it without, dataclasses.replace(net, feedback=None), "
            "or train it by pdn.train.force"
        )
        raise TensorError(message)
    generator, seed = as_generator(rng)
    options: dict[str, Any] = {
        "n_trials": n_trials,
        "n_validation": n_validation,
        "regularization": regularization,
        "noise_density": noise_density,
    }
    streams = spawn(generator, 4)
    trials = task.sample(n_trials, streams[0], dt=net.dt)
    parameters = {
        **options,
        "task": trials.attrs.get("task", type(task).__name__),
        "task_parameters": trials.attrs.get("parameters", ""),
    }
    place = None
    if checkpoint is not None:
        about = {"method": "reservoir", "network": digest(net.to_dataset()), "seed": seed}
        own = {"own task": own_task(task, net.dt)} if is_own(task) else {}
        place = Checkpoint.at(checkpoint, {**parameters, **about, **own})
    found = None if place is None else place.read()
    arrays = _fit(net, task, trials, streams, options) if found is None else found[0]
    if place is not None and found is None:
        place.write(arrays, {})
    return _with_output(net, arrays["output"]), _history(arrays, n_trials, parameters, seed)


def _fit(
    net: Rate | Spiking,
    task: Task,
    trials: xr.Dataset,
    streams: list[np.random.Generator],
    options: dict[str, Any],
) -> Arrays:
    """Fit and validate; return weights and what the history holds."""
    regularization, noise_density = options["regularization"], options["noise_density"]
    few = min(options["n_trials"], _TILE)
    with single_thread(net, few) if isinstance(net, Rate) else nullcontext():
        samples = collect(net, trials, noise_density, streams[1])
        arrays: Arrays = {}
        if regularization == "cv":
            candidates = _CANDIDATES * np.einsum("ij,ij->", samples.rates, samples.rates)
            arrays["candidate"] = candidates / samples.rates.shape[1]
            arrays["candidate_loss"] = cross_validated_loss(samples, arrays["candidate"])
            penalty = float(arrays["candidate"][int(np.argmin(arrays["candidate_loss"]))])
        else:
            penalty = float(regularization)
        output = ridge(samples.rates, samples.target, penalty)
        arrays |= {
            "output": output,
            "regularization": np.array(penalty),
            "loss": np.array(samples.loss(output)),
        }
        # Room for the validation.
        del samples
        fresh = task.sample(options["n_validation"], streams[2], dt=net.dt)
        return arrays | _validation(net, output, task, fresh, noise_density, streams[3])


def _with_output(net: Network, output: Array) -> Network:
    """Return a network with the weights that were fitted."""
    if isinstance(net, Rate):
        return dataclasses.replace(net, output=output, output_bias=None)
    slow, fast = np.split(output, 2, axis=1)
    return dataclasses.replace(net, output_slow=slow, output_fast=fast)


def _history(arrays: Arrays, n_trials: int, parameters: dict[str, Any], seed: str) -> xr.Dataset:
    """Label what was found."""
    one, test = {"units": "1"}, {"units": "1", "n_trials": int(arrays["n_correct"])}
    variables: dict[str, Any] = {
        name: ("checkpoint", arrays[name][None], one) for name in ("loss", "validation_loss")
    }
    variables |= {
        "accuracy": ("checkpoint", arrays["accuracy"][None], test),
        "accuracy_bound": (("bound", "checkpoint"), arrays["accuracy_bound"][:, None], one),
        "best": ((), 0, {"description": "position of the checkpoint returned"}),
        "final_accuracy": ((), float(arrays["accuracy"]), test),
        "final_accuracy_bound": ("bound", arrays["accuracy_bound"], one),
        "regularization": ((), float(arrays["regularization"]), one),
    }
    coords: dict[str, Any] = {
        "bound": BOUND,
        "n_trials": ("checkpoint", [n_trials], {"description": "trials learned"}),
    }
    if "candidate" in arrays:
        variables["candidate_loss"] = ("candidate", arrays["candidate_loss"], one)
        coords["candidate"] = ("candidate", arrays["candidate"], {"description": "penalty λ"})
    return make_result(
        variables, coords=coords, method="reservoir", parameters=parameters, seed=seed
    )


def ridge(rates: Array, target: Array, penalty: float) -> Array:
    """Solve ridge regression without intercept.

    Parameters
    ----------
    rates : ndarray, shape (sample, neuron)
        Regressors.
    target : ndarray, shape (sample, output)
        What to reach.
    penalty : float
        λ, added to the diagonal of the sums of squares.

    Returns
    -------
    ndarray, shape (output, neuron)
        Output weights.

    Raises
    ------
    FitError
        If `penalty` is 0 and the rates do not determine the weights.
    """
    gram = rates.T @ rates
    gram[np.diag_indices_from(gram)] += penalty
    try:
        factor = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        message = (
            f"{len(rates)} samples do not determine {rates.shape[1]} output weights with "
            f"regularization={penalty:g}: use a larger one, or 'cv'"
        )
        raise FitError(message) from None
    half = np.linalg.solve(factor, rates.T @ target)
    solution: Array = np.linalg.solve(factor.T, half).T
    return solution


def cross_validated_loss(samples: Samples, candidates: Array) -> Array:
    """Return the loss on left-out trials for each penalty, averaged over folds.

    One eigendecomposition per fold serves all penalties.
    """
    n_trials = int(samples.trial.max()) + 1
    n_folds = min(_N_FOLDS, n_trials)
    gram, cross = samples.rates.T @ samples.rates, samples.rates.T @ samples.target
    losses = np.zeros(len(candidates))
    for left_out in watched(range(n_folds), n_folds, "choosing the penalty"):
        test = samples.part(samples.trial % n_folds == left_out)
        values, vectors = np.linalg.eigh(gram - test.rates.T @ test.rates)
        rotated = vectors.T @ (cross - test.rates.T @ test.target)
        for position, penalty in enumerate(candidates):
            # Rounding can make the smallest eigenvalues slightly negative.
            scale = 1.0 / (np.maximum(values, 0.0) + penalty)
            output = (vectors @ (scale[:, None] * rotated)).T
            losses[position] += test.loss(output) / n_folds
    return losses


def _validation(
    net: Rate | Spiking,
    weights: Array,
    task: Task,
    trials: xr.Dataset,
    noise_density: float,
    rng: Seed,
) -> Arrays:
    """Measure accuracy and loss on trials the network was not fitted to."""
    samples = collect(net, trials, noise_density, rng)
    # Steps outside the mask are left at 0: no task may look at them.
    output = np.zeros((len(weights), *trials["mask"].transpose("step_time", "trial").shape))
    output[:, samples.step, samples.trial] = weights @ samples.rates.T
    labelled = xr.DataArray(output, dims=("output", "step_time", "trial"))
    correct = task.response(labelled, trials)["correct"].to_numpy()
    correct = correct[np.isfinite(correct)]
    if not correct.size:
        message = "none of the validation trials has a right answer (all are catch trials)"
        raise FitError(message)
    return {
        "validation_loss": np.array(samples.loss(weights)),
        "accuracy": np.array(float(correct.mean())),
        "accuracy_bound": np.array(wilson_interval(float(correct.sum()), correct.size)),
        "n_correct": np.array(correct.size),
    }


def check_net_and_task(net: Any, task: Any, kinds: tuple[type[Any], ...] = (Rate, Spiking)) -> None:
    """Refuse networks of other kinds, what is no task, and tasks of one's own without lesson.

    Raises
    ------
    TensorError
        Saying what it is.
    """
    if not isinstance(net, kinds):
        swapped = isinstance(task, kinds)
        hint = ": the network comes first, then the task" if swapped else ""
        names = " or ".join(f"pdn.network.{kind.__name__}" for kind in kinds)
        message = f"net must be a network, {names}, found {type(net).__name__}{hint}"
        raise TensorError(message)
    check_task(task)
    check_own_task(task, net.dt)


def _check_arguments(n_trials: int, n_validation: int, regularization: float | str) -> None:
    """Refuse numbers that no fit can use."""
    check_count("n_trials", n_trials, 2)
    check_count("n_validation", n_validation)
    is_number = isinstance(regularization, (int, float)) and 0 <= regularization < np.inf
    is_number = is_number and not isinstance(regularization, bool)
    if regularization != "cv" and not is_number:
        message = (
            "regularization must be a number that is zero or positive, or 'cv', found "
            f"{regularization!r}"
        )
        raise TensorError(message)
