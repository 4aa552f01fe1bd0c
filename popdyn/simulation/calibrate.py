"""The noise of a stimulus that makes a network choose as often as wanted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.network.kinds import Network
from popdyn.resample import Seed, as_generator
from popdyn.simulation.arguments import check_network
from popdyn.simulation.run import simulate
from popdyn.tensor.result import make_result

# How many noises per factor of 10 are tried first, evenly spaced in logarithm.
_PER_DECADE = 4
# Relative width to which the noise is narrowed down; the trials leave more uncertainty than this.
_WIDTH = 0.005
# Share of choices by which even the best noise may miss what was wanted without a word.
_MISS = 0.1

AnyTask = TypeVar("AnyTask")


def calibrate_noise(
    net: Network,
    task: AnyTask,
    target: Mapping[float, float],
    *,
    n_trials: int = 500,
    between: tuple[float, float] = (0.01, 10.0),
    noise_density: float = 0.0,
    rng: Seed = 0,
) -> tuple[AnyTask, xr.Dataset]:
    """Find the noise of the stimulus with which a network chooses as often as wanted.

    The task is drawn with one noise after the other, always from the same random numbers, and the
    network run on it: noises evenly spaced in logarithm first, then a narrowing search about the
    best of them, that with the smallest mean squared difference from `target`.  That takes about
    two dozen runs of the network.

    Parameters
    ----------
    net : Rate, LowRank or Spiking
        The network.  It stays as it is.
    task : Detection, PerceptualDecision or a task of your own
        With one stimulus, in numbers, a choice, and a field `stimulus_noise`.
    target : mapping of stimulus to share
        How often the choice should be 1 ("yes" in detection) for some stimuli of the task.  In
        detection the stimulus 0 is none at all: ``{0: 0.1}`` asks for one false alarm in ten.
    n_trials : int
        Trials for each noise, over all stimuli of the task.
    between : (least, most)
        The noises to search, in the units of `stimulus_noise`.
    noise_density : float
        Noise of the network itself, see `simulate`.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    task
        The same with the `stimulus_noise` that was found.
    curve : xarray.Dataset
        ``share (noise, stimulus)``: how often the choice was 1 with each noise that was tried;
        ``target_share (stimulus)``, NaN where nothing was asked for; ``n_trials (stimulus)``;
        ``error (noise)``: the root mean squared difference from the target.

    Raises
    ------
    TensorError
        If trials have no such stimulus or no choice, a share is none, or `between` is no range.

    Warns
    -----
    PopdynWarning
        If even the best noise misses a share by more than 0.1.

    See Also
    --------
    popdyn.tasks.Detection : its noise was calibrated like this in the publication.

    Examples
    --------
    A neuron that follows its input within 0.1 s, and decides by its sign at the end.

    >>> import popdyn as pdn
    >>> net = pdn.network.Rate([[0.0]], [[1.0]], [[1.0]], [0.0], nonlinearity="linear")
    >>> task = pdn.tasks.PerceptualDecision(delay_duration=0.01)
    >>> task, curve = pdn.calibrate_noise(net, task, {0.4: 0.75}, n_trials=3000)
    >>> round(float(curve["share"].sel(noise=task.stimulus_noise, stimulus=0.4)), 2)
    0.75
    """
    check_network(net)
    wanted, grid = _read_target(target), _read_range(between)
    generator, seed = as_generator(rng)
    seeds = generator.integers(2**31, size=2).tolist()
    tried: dict[float, xr.Dataset] = {}

    def error(log_noise: float) -> float:
        noisy = _with_noise(task, float(np.exp(log_noise)))
        trials = noisy.sample(n_trials, seeds[0], net.dt)
        counted = _count(net, noisy, trials, seeds[1], noise_density)
        tried[noisy.stimulus_noise] = counted
        return _error(counted, wanted)

    # Late: scipy.optimize costs a third of a second.
    from scipy.optimize import minimize_scalar

    first = int(np.argmin([error(log_noise) for log_noise in grid]))
    bounds = grid[max(first - 1, 0)], grid[min(first + 1, len(grid) - 1)]
    minimize_scalar(error, bounds=bounds, method="bounded", options={"xatol": _WIDTH})
    errors = {noise: _error(tried[noise], wanted) for noise in sorted(tried)}
    # So few trials may make several alike: take the middle one.
    alike = [noise for noise, size in errors.items() if np.isclose(size, min(errors.values()))]
    best = alike[len(alike) // 2]
    _doubt(best, tried[best], wanted, between)
    parameters = {
        "target": {f"{stimulus:g}": share for stimulus, share in wanted.items()},
        "n_trials": n_trials,
        "between": list(between),
        "noise_density": noise_density,
    }
    return _with_noise(task, best), _curve(tried, wanted, parameters, seed)


def _count(
    net: Network, task: Any, trials: xr.Dataset, seed: int, noise_density: float
) -> xr.Dataset:
    """Run the network and count how often it chose 1, by stimulus.

    Raises
    ------
    TensorError
        If the trials have no single stimulus in numbers, or no choice.
    """
    roles = json.loads(str(trials.attrs.get("roles", "{}")))
    column = trials.get(roles.get("stimulus", "stimulus"))
    if column is None or column.dtype.kind != "f" or "stimulus_2" in roles:
        message = (
            f"the noise is calibrated to choices about one stimulus, in numbers; "
            f"{type(task).__name__} has none such: use Detection or PerceptualDecision"
        )
        raise TensorError(message)
    sim = simulate(
        net,
        trials,
        rng=seed,
        bin_width=net.dt,
        record=(),
        task=task,
        noise_density=noise_density,
    )
    if "choice" not in sim.coords:
        message = f"{type(task).__name__} has no choice to count"
        raise TensorError(message)
    shown = np.isfinite(column.to_numpy())
    stimulus, which = np.unique(column.to_numpy()[shown], return_inverse=True)
    yes = sim["choice"].to_numpy()[shown] == 1
    share = np.bincount(which, yes) / np.bincount(which)
    attrs = {"units": str(column.attrs.get("units", "1"))}
    return xr.Dataset(
        {
            "share": ("stimulus", share, {"units": "1"}),
            "n_trials": ("stimulus", np.bincount(which), {"units": "1"}),
        },
        coords={"stimulus": ("stimulus", stimulus, attrs)},
    )


def _at(counted: xr.Dataset, wanted: Mapping[float, float]) -> NDArray[np.intp]:
    """Find the stimuli that were asked for.

    Raises
    ------
    TensorError
        With the stimuli there are.
    """
    there = counted["stimulus"].to_numpy()
    found = [np.flatnonzero(np.isclose(there, stimulus, rtol=1e-3)) for stimulus in wanted]
    for stimulus, positions in zip(wanted, found, strict=True):
        if not positions.size:
            listed = ", ".join(f"{value:g}" for value in there)
            message = (
                f"target asks for the stimulus {stimulus:g}, which is in none of "
                f"{int(counted['n_trials'].sum())} trials: they have {listed}"
            )
            raise TensorError(message)
    return np.array([positions[0] for positions in found])


def _error(counted: xr.Dataset, wanted: Mapping[float, float]) -> float:
    """Root mean squared difference of the shares from those that were asked for."""
    share = counted["share"].to_numpy()[_at(counted, wanted)]
    return float(np.sqrt(np.mean((share - list(wanted.values())) ** 2)))


def _doubt(
    noise: float, counted: xr.Dataset, wanted: Mapping[float, float], between: tuple[float, float]
) -> None:
    """Warn if the best noise is not good."""
    share = counted["share"].to_numpy()[_at(counted, wanted)]
    missed = [
        f"{stimulus:g}: {found:.2f} instead of {asked:.2f}"
        for (stimulus, asked), found in zip(wanted.items(), share, strict=True)
        if abs(found - asked) > _MISS
    ]
    if missed:
        warn(
            f"no noise between {between[0]:g} and {between[1]:g} makes the network choose as often "
            f"as wanted; with {noise:.3g}, the nearest, the shares are, by stimulus, "
            f"{', '.join(missed)}. Train the network further, or ask for less"
        )


def _curve(
    tried: Mapping[float, xr.Dataset],
    wanted: Mapping[float, float],
    parameters: Mapping[str, Any],
    seed: str,
) -> xr.Dataset:
    """Put together what was tried, in the order of the noises."""
    noises = sorted(tried)
    first = tried[noises[0]]
    target = np.full(first.sizes["stimulus"], np.nan)
    target[_at(first, wanted)] = list(wanted.values())
    share = np.stack([tried[noise]["share"].to_numpy() for noise in noises])
    errors = np.array([_error(tried[noise], wanted) for noise in noises])
    return make_result(
        {
            "share": (("noise", "stimulus"), share, {"units": "1"}),
            "target_share": ("stimulus", target, {"units": "1"}),
            "n_trials": ("stimulus", first["n_trials"].to_numpy(), {"units": "1"}),
            "error": ("noise", errors, {"units": "1"}),
        },
        coords={
            "noise": ("noise", np.array(noises), {"units": "1"}),
            "stimulus": first["stimulus"],
        },
        method="calibrate_noise",
        parameters=parameters,
        seed=seed,
    )


def _with_noise(task: Any, noise: float) -> Any:
    """Return the task with another noise of its stimulus.

    Raises
    ------
    TensorError
        If it is no task with such a noise.
    """
    named = dataclasses.is_dataclass(task) and not isinstance(task, type)
    if not named or not hasattr(task, "stimulus_noise"):
        message = (
            f"expected a task with stimulus_noise, such as pdn.tasks.Detection(), found {task!r}"
        )
        raise TensorError(message)
    return dataclasses.replace(task, stimulus_noise=noise)


def _read_target(target: Any) -> dict[float, float]:
    """Return stimuli and shares as numbers, or say what is wrong with them."""
    try:
        wanted = {float(stimulus): float(share) for stimulus, share in dict(target).items()}
    except (TypeError, ValueError):
        wanted = {}
    if not wanted or not all(0 <= share <= 1 for share in wanted.values()):
        message = (
            "target must say for some stimuli how often the choice should be 1, such as "
            f"{{0: 0.1, 0.3162: 0.5}}, shares between 0 and 1; found {target!r}"
        )
        raise TensorError(message)
    return wanted


def _read_range(between: Any) -> NDArray[np.float64]:
    """Return logarithms of the noises that are tried first."""
    try:
        least, most = (float(noise) for noise in between)
    except (TypeError, ValueError):
        least = most = float("nan")
    if not 0 < least < most < np.inf:
        message = f"between must be (least, most) noise, both positive, found {between!r}"
        raise TensorError(message)
    n_tried = max(3, round(_PER_DECADE * np.log10(most / least)) + 1)
    return np.linspace(np.log(least), np.log(most), n_tried)
