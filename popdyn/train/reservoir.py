"""Train the output weights alone: a linear readout of a fixed, random network.

The network is a reservoir; ridge regression finds output weights ``W = (RᵀR + λI)⁻¹ RᵀF``
that turn its rates ``R`` into the task's target ``F`` on the steps that count.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.network.rate import Rate
from popdyn.progress import watched
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.simulation.start import initial_states, noise_per_step, read_trials
from popdyn.simulation.steps import Array, evolve, single_thread
from popdyn.tasks import Task
from popdyn.tensor.result import make_result

# Candidates for λ as multiples of the mean eigenvalue of RᵀR, and folds of trials to judge them.
_CANDIDATES = np.logspace(-8, 1, 19)
_N_FOLDS = 5
_TILE = 256


def reservoir(
    net: Rate,
    task: Task,
    *,
    n_trials: int = 200,
    n_validation: int = 200,
    regularization: float | Literal["cv"] = "cv",
    noise_density: float = 0.1,
    rng: Seed = 0,
) -> tuple[Rate, xr.Dataset]:
    """Fit the output weights of a network to a task by ridge regression.

    The recurrent and input weights stay as they are.  There is no intercept, and a bias of the
    outputs is taken away: a constant output can only come from the rates.

    Parameters
    ----------
    net : Rate
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
        Noise in the network while fitting and validating, in units of the state per
        sqrt(second), see `popdyn.simulate`.  Weights fitted without noise (0) rely on tiny
        differences between rates and fail as soon as the network is noisy.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    net : Rate
        The network with fitted output weights.
    history : xarray.Dataset
        ``loss`` on the trials fitted, ``validation_loss`` and ``accuracy`` on fresh ones
        (catch trials left out) with ``accuracy_bound (bound)``, its 95 % Wilson interval;
        ``regularization``, the λ used; with "cv" also ``candidate_loss (candidate)``, the
        cross-validated loss of each candidate λ.  Losses are mean squared errors over the
        steps that count, averaged over trials.

    Raises
    ------
    TensorError
        If `n_trials` or `n_validation` is too small, `regularization` is negative, the network is
        none of rates or has feedback, or the task is none.
    FitError
        If λ = 0 and the weights are not determined.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(100, g=0.9, rng=0)
    >>> net, history = pdn.train.reservoir(net, pdn.tasks.PerceptualDecision(), rng=0)
    >>> bool(history["accuracy"] > 0.9)
    True
    """
    _check_net_and_task(net, task)
    _check_arguments(n_trials, n_validation, regularization)
    if net.feedback is not None:
        message = (
            "the outputs of this network feed back onto its neurons: weights fitted to its rates "
            "would change those rates. Fit it without, dataclasses.replace(net, feedback=None)"
        )
        raise TensorError(message)
    generator, seed = as_generator(rng)
    options = {
        "n_trials": n_trials,
        "n_validation": n_validation,
        "regularization": regularization,
        "noise_density": noise_density,
    }
    with single_thread(net, min(n_trials, _TILE)):
        return _fit(net, task, generator, seed, options)


def _fit(
    net: Rate, task: Task, generator: np.random.Generator, seed: str, options: dict[str, Any]
) -> tuple[Rate, xr.Dataset]:
    """Do what `reservoir` promises; the options are its arguments of the same names."""
    regularization, noise_density = options["regularization"], options["noise_density"]
    fit_rng, fit_noise, fresh_rng, fresh_noise = spawn(generator, 4)
    trials = task.sample(options["n_trials"], fit_rng, dt=net.dt)
    samples = collect(net, trials, noise_density, fit_noise)
    losses = candidates = None
    if regularization == "cv":
        candidates = _CANDIDATES * np.einsum("ij,ij->", samples.rates, samples.rates)
        candidates = candidates / net.n_neurons
        losses = cross_validated_loss(samples, candidates)
        penalty = float(candidates[int(np.argmin(losses))])
    else:
        penalty = float(regularization)
    output = ridge(samples.rates, samples.target, penalty)
    trained = dataclasses.replace(net, output=output, output_bias=None)
    fresh = task.sample(options["n_validation"], fresh_rng, dt=net.dt)
    history = {
        "loss": ((), samples.loss(output), {"units": "1"}),
        "regularization": ((), penalty, {"units": "1"}),
        **_validation(trained, task, fresh, noise_density, fresh_noise),
    }
    coords: dict[str, Any] = {"bound": BOUND}
    if losses is not None:
        history["candidate_loss"] = ("candidate", losses, {"units": "1"})
        coords["candidate"] = ("candidate", candidates, {"description": "penalty λ"})
    parameters = {
        **options,
        "task": trials.attrs.get("task", type(task).__name__),
        "task_parameters": trials.attrs.get("parameters", ""),
    }
    result = make_result(
        history, coords=coords, method="reservoir", parameters=parameters, seed=seed
    )
    return trained, result


@dataclass(frozen=True)
class Samples:
    """Rates and targets at the steps that count, one row each."""

    rates: Array  # (sample, neuron)
    target: Array  # (sample, output)
    step: NDArray[np.intp]  # (sample,)
    trial: NDArray[np.intp]  # (sample,), position of the trial

    def loss(self, output: Array) -> float:
        """Return the mean squared error over the steps of a trial, averaged over trials."""
        error = ((self.rates @ output.T - self.target) ** 2).mean(axis=1)
        n_steps = np.bincount(self.trial)
        per_trial = np.bincount(self.trial, weights=error)[n_steps > 0] / n_steps[n_steps > 0]
        return float(per_trial.mean())

    def part(self, keep: NDArray[np.bool_]) -> Samples:
        """Return some of the rows."""
        return Samples(self.rates[keep], self.target[keep], self.step[keep], self.trial[keep])


def collect(net: Rate, trials: xr.Dataset, noise_density: float, rng: Seed) -> Samples:
    """Run a network and keep its rates where the mask is set.

    Raises
    ------
    TensorError
        If trials do not fit the network, or a trial has no step in its mask.
    """
    run = read_trials(net, trials)
    mask = trials["mask"].transpose("step_time", "trial").to_numpy().astype(bool)
    target = trials["target"].transpose("step_time", "trial", "output").to_numpy()
    n_masked = mask.sum(axis=0)
    if (n_masked == 0).any():
        message = (
            f"{int((n_masked == 0).sum())} of {len(n_masked)} trials have no step that counts "
            "(mask all zero): there is nothing to fit in them"
        )
        raise TensorError(message)
    generators = spawn(rng, run.n_trials)
    initial = initial_states(net, None, run.n_trials, generators, random=False)
    noise_std = noise_per_step(net.dt, noise_density, 0.0)
    kept: list[tuple[Array, Array, NDArray[np.intp], NDArray[np.intp]]] = []
    tiles = [slice(i, min(i + _TILE, run.n_trials)) for i in range(0, run.n_trials, _TILE)]
    for part in tiles:
        path = evolve(net, run.inputs[:, part], initial[part], noise_std, generators[part])
        next(path)
        for step, rate in enumerate(watched(path, len(mask), "running the reservoir")):
            here = np.flatnonzero(mask[step, part])
            at = here + part.start
            kept.append((rate[here], target[step, at], np.full_like(at, step), at))
    rates, targets, steps, owners = (np.concatenate(column) for column in zip(*kept, strict=True))
    return Samples(rates, targets, steps, owners)


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
    fold = samples.trial % n_folds
    losses = np.zeros(len(candidates))
    for left_out in watched(range(n_folds), n_folds, "choosing the penalty"):
        train, test = samples.part(fold != left_out), samples.part(fold == left_out)
        values, vectors = np.linalg.eigh(train.rates.T @ train.rates)
        rotated = vectors.T @ (train.rates.T @ train.target)
        for position, penalty in enumerate(candidates):
            # Rounding can make the smallest eigenvalues slightly negative.
            scale = 1.0 / (np.maximum(values, 0.0) + penalty)
            output = (vectors @ (scale[:, None] * rotated)).T
            losses[position] += test.loss(output) / n_folds
    return losses


def _validation(
    net: Rate, task: Task, trials: xr.Dataset, noise_density: float, rng: Seed
) -> dict[str, Any]:
    """Measure accuracy and loss on trials the network was not fitted to."""
    samples = collect(net, trials, noise_density, rng)
    # Steps outside the mask are left at 0: no task may look at them.
    output = np.zeros((net.n_outputs, *trials["mask"].transpose("step_time", "trial").shape))
    output[:, samples.step, samples.trial] = net.output @ samples.rates.T
    labelled = xr.DataArray(output, dims=("output", "step_time", "trial"))
    correct = task.response(labelled, trials)["correct"].to_numpy()
    correct = correct[np.isfinite(correct)]
    if not correct.size:
        message = "none of the validation trials has a right answer (all are catch trials)"
        raise FitError(message)
    bound = np.array(wilson_interval(float(correct.sum()), correct.size))
    return {
        "validation_loss": ((), samples.loss(net.output), {"units": "1"}),
        "accuracy": ((), float(correct.mean()), {"units": "1", "n_trials": int(correct.size)}),
        "accuracy_bound": ("bound", bound, {"units": "1"}),
    }


def wilson_interval(n_correct: float, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a proportion.

    Trials may be correct in part: shares vary less than answers that are right or wrong, so the
    interval is then too wide rather than too narrow.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson_interval(9, 10)]
    [0.5958, 0.9821]
    """
    z = 1.959963984540054
    center = (n_correct + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * (n_correct * (n - n_correct) / n + z**2 / 4) ** 0.5
    # Rounding must not move a bound off a proportion of exactly 0 or 1.
    lower = 0.0 if n_correct == 0 else center - half
    return lower, 1.0 if n_correct >= n else center + half


def _check_net_and_task(net: Any, task: Any) -> None:
    """Refuse what is no rate network, and what is no task."""
    if not isinstance(net, Rate):
        swapped = isinstance(task, Rate)
        hint = ": the network comes first, then the task" if swapped else ""
        message = (
            f"net must be a rate network, pdn.network.Rate, found {type(net).__name__}{hint}; only "
            "the outputs of rate networks are fitted"
        )
        raise TensorError(message)
    if isinstance(task, (str, type)) or not hasattr(task, "sample"):
        trials = isinstance(task, xr.Dataset)
        found = "a Dataset: give the task itself, not its trials" if trials else f"{task!r:.60}"
        message = f"task must be a task, for example pdn.tasks.PerceptualDecision(); found {found}"
        raise TensorError(message)


def _check_arguments(n_trials: int, n_validation: int, regularization: float | str) -> None:
    """Refuse numbers that no fit can use."""
    for name, value, least in (("n_trials", n_trials, 2), ("n_validation", n_validation, 1)):
        given: object = value
        is_whole = isinstance(given, (int, np.integer)) and not isinstance(given, bool)
        if not is_whole or value < least:
            message = f"{name} must be at least {least}, a whole number, found {value!r:.60}"
            raise TensorError(message)
    is_number = isinstance(regularization, (int, float)) and 0 <= regularization < np.inf
    is_number = is_number and not isinstance(regularization, bool)
    if regularization != "cv" and not is_number:
        message = (
            "regularization must be a number that is zero or positive, or 'cv', found "
            f"{regularization!r}"
        )
        raise TensorError(message)
