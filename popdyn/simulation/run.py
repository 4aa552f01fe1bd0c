"""Run a network on trials: what a recording is for a brain, `simulate` is for a network."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.resample import Seed, as_generator, spawn
from popdyn.simulation.recording import Recording, run_tiles
from popdyn.simulation.spiking_label import Labels, as_result
from popdyn.simulation.spiking_run import check_record, run_spiking
from popdyn.simulation.spiking_setup import noise_of_step
from popdyn.simulation.start import TrialInputs, initial_states, noise_per_step, read_trials, rest
from popdyn.simulation.steps import Array, single_thread
from popdyn.tasks import Task, task_of
from popdyn.tensor.build import make_tensor
from popdyn.tensor.contract import bin_centers
from popdyn.tensor.result import add_history, make_result

_RECORDABLE = ("rate",)


def simulate(
    net: Rate | Spiking,
    trials: xr.Dataset | None = None,
    duration: float | None = None,
    rng: Seed = 0,
    bin_width: float = 0.010,
    record: Sequence[str] = ("rate",),
    *,
    noise_density: float = 0.0,
    noise_step: float = 0.0,
    initial_state: Any = None,
    task: Task | None = None,
    tile: int = 256,
    source_id: str = "network",
    dtype: str = "float64",
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Run a network on trials, or for some time without input.

    Every trial starts anew (see `initial_state`).  A rate network is stepped by the Euler method
    with ``net.dt``, a spiking one exactly between spikes, which happen at the ends of steps.  The
    input of a step acts during the step; the output that answers to it is that at the step's end.

    Parameters
    ----------
    net : Rate or Spiking
        The network.
    trials : Dataset, optional
        From ``task.sample(n_trials, rng, dt=net.dt)``, or any Dataset with
        ``inputs (channel, step_time, trial)`` and ``attrs["dt"]``.
    duration : float, optional
        Instead of trials: seconds of one trial without input.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.  Each trial has its own stream of noise.
    bin_width : float
        In seconds, a whole multiple of ``net.dt``.
    record : sequence of str
        ``("rate",)``, or ``()`` for output and behavior alone.  Of a spiking network any of
        ``"rate"`` (spikes in the bin over its width, Hz), ``"spike_count"``, ``"potential"`` and
        ``"current"`` (means over the bin), or ``("spikes",)`` alone for a Session.
    noise_density : float
        Noise ``s`` of the stochastic equation ``tau dx = ... + tau s dW``: each step adds
        ``s sqrt(dt) N(0, 1)`` to each state, in units of the state per sqrt(second).  Does
        not depend on the step: a neuron by itself has the variance ``s² tau / 2``.
    noise_step : float
        The other convention: standard deviation of what is added to each state at each step,
        whatever the step's length.  Give one of the two.
    initial_state : array, shape (neuron,) or (neuron, trial), optional
        State ``x`` (not rate) at the start, dimensionless.  By default 0 on trials and, as a
        network without input would stay there, N(0, 1) with `duration`.  Of a spiking network the
        potentials, by default uniform between reset and threshold, drawn for each trial; its
        synaptic currents start at 0.
    task : Task, optional
        Says what the output means; by default the task the trials were drawn from.
    tile : int
        Trials stepped together: bounds the memory.  Results are the same bits for the same
        tile; others differ by rounding, which a chaotic network amplifies.
    source_id : str
        Name of the network in comparisons.
    dtype : {"float64", "float32"}
        Precision of weights and state of a spiking network; rate networks run in float64.
    n_jobs : int, optional
        Trials of a spiking network run at once, in threads (joblib); None is one, or what
        ``joblib.parallel_config`` says.  Results are the same bits.

    Returns
    -------
    xarray.Dataset
        ``rate (neuron, time, trial)``, a tensor in units of 1: the mean over each bin (of the
        straight lines between steps), NaN after a trial's end; ``output (output, time,
        trial)`` averaged likewise.  ``time`` holds bin centers in seconds relative to
        ``start_time``.  All columns of the trials, and what the task makes of the output:
        ``response``, ``choice``, ``correct``.  With ``record=("spikes",)`` a Session, whose spike
        times are the middles of the steps at whose ends they happened.

    Raises
    ------
    TensorError
        If trials and network do not fit (step, number of inputs), `bin_width` is no whole
        multiple of the step, or something asked for cannot be recorded.
    FitError
        If rates or potentials grow beyond all bounds, or all neurons of a connected spiking
        network spike as often as their refractory time allows.

    See Also
    --------
    popdyn.observe : spikes of a part of the neurons, as a recording would have them.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt)
    >>> sim = pdn.simulate(net, trials, noise_density=0.1)
    >>> dict(sim["rate"].sizes)
    {'neuron': 50, 'time': 102, 'trial': 8}
    """
    wanted = check_record(record) if isinstance(net, Spiking) else _check_record(record)
    every = steps_per_bin(net.dt, bin_width)
    noise_std = noise_per_step(net.dt, noise_density, noise_step)
    generator, seed = as_generator(rng)
    if (trials is None) == (duration is None):
        message = "give either trials (from task.sample) or a duration in seconds, one of the two"
        raise TensorError(message)
    given = rest(net, float(duration), bin_width) if duration is not None else trials
    run = read_trials(net, given)
    generators = spawn(generator, run.n_trials)
    parameters: dict[str, Any] = {
        "noise_density": noise_density,
        "noise_step": noise_step,
        "bin_width": bin_width,
        "dt": net.dt,
    }
    if isinstance(net, Spiking):
        traces = run_spiking(
            net,
            run,
            steps_per_bin=every,
            record=wanted,
            initial_state=initial_state,
            noise_std=noise_of_step(net, noise_density, noise_step),
            generators=generators,
            dtype=dtype,
            n_jobs=n_jobs,
        )
        behavior = _behavior(task, given, traces.step_output)
        said = Labels(bin_width, source_id, seed, parameters | {"dtype": dtype}, behavior)
        return as_result(net, run, traces, said, wanted)
    if dtype != "float64":
        message = f"a rate network runs with dtype='float64', found {dtype!r}"
        raise TensorError(message)
    initial = initial_states(net, initial_state, run.n_trials, generators, random=trials is None)
    recording = Recording.empty(net, run, every, keep_rate="rate" in wanted)
    if tile < 1:
        message = f"tile must be at least 1 trial, found {tile!r}"
        raise TensorError(message)
    work = run_tiles(net, run, initial, noise_std, generators, tile, recording)
    n_bins = recording.output.shape[1] * -(-run.n_trials // tile)
    with np.errstate(over="ignore", invalid="ignore"), single_thread(net, min(tile, run.n_trials)):
        for _ in watched(work, n_bins, f"simulating {run.n_trials} trials"):
            pass
    behavior = _behavior(task, given, recording.step_output)
    labels = _Labels(bin_width, source_id, net.nonlinearity, seed)
    return _label(recording, run, behavior, labels, parameters | {"tile": tile})


def steps_per_bin(dt: float, bin_width: float) -> int:
    """Return how many steps a bin holds.

    Raises
    ------
    TensorError
        If that is no whole number; the message names the nearest bin widths.
    """
    ratio = bin_width / dt
    if not np.isfinite(ratio) or ratio <= 0:
        message = f"bin_width must be a positive number of seconds, found {bin_width!r}"
        raise TensorError(message)
    whole = round(ratio)
    if whole < 1 or abs(ratio - whole) > 1e-6 * ratio:
        near = sorted({max(1, int(np.floor(ratio))), int(np.ceil(ratio))})
        nearest = " or ".join(f"{n * dt:.6g}" for n in near)
        message = (
            f"bin_width must be a whole multiple of the network's dt={dt:g} s, found "
            f"{bin_width:g} s: use {nearest} s"
        )
        raise TensorError(message)
    return whole


def _behavior(
    task: Task | None, trials: xr.Dataset | None, step_output: Array
) -> dict[str, tuple[NDArray[Any], dict[str, Any]]]:
    """Ask the task what the outputs mean: columns with attributes."""
    if trials is None or not {"mask", "target"} <= set(trials.data_vars):
        return {}
    task = task_of(trials) if task is None else task
    if task is None:
        return {}
    output = xr.DataArray(step_output, dims=("output", "step_time", "trial"))
    columns = task.response(output, trials)
    return {str(name): (c.to_numpy(), dict(c.attrs)) for name, c in columns.data_vars.items()}


@dataclass(frozen=True)
class _Labels:
    """What the tensor says about itself."""

    bin_width: float
    source_id: str
    nonlinearity: str
    seed: str


def _label(
    recording: Recording,
    run: TrialInputs,
    behavior: dict[str, tuple[NDArray[Any], dict[str, Any]]],
    labels: _Labels,
    parameters: dict[str, Any],
) -> xr.Dataset:
    """Turn arrays into the Dataset that `simulate` returns."""
    columns = run.columns | behavior
    n_bins = recording.output.shape[1]
    time = bin_centers((0.0, n_bins * labels.bin_width), labels.bin_width)
    # Without rates a tensor of no neurons still carries the columns and the attributes.
    values = recording.rate
    tensor = make_tensor(
        np.empty((0, n_bins, run.n_trials), dtype=np.float32) if values is None else values,
        time,
        trials={"id": run.trial} | {name: column for name, (column, _) in columns.items()},
        units="1",
        source="network",
        source_id=labels.source_id,
        align="start_time",
        bin_width=labels.bin_width,
        column_attrs={name: attrs for name, (_, attrs) in columns.items()},
    )
    clock = {"units": "s", "clock": "session"}
    tensor = tensor.assign_coords(align_time=("trial", run.start_time, clock))
    roles = run.roles | {
        name: name for name in ("choice", "response", "correct") if name in behavior
    }
    said = {"nonlinearity": labels.nonlinearity, "roles": json.dumps(roles)}
    history = add_history({}, "simulate", **parameters, seed=labels.seed)
    tensor.attrs = {**tensor.attrs, **said, **history}
    output = (("output", "time", "trial"), recording.output, {"units": "1"})
    variables: dict[str, Any] = {"output": output}
    shared: dict[Any, Any] = dict(tensor.drop_vars("neuron").coords)
    if values is not None:
        variables, shared = {"rate": tensor, **variables}, {}
    result = make_result(
        variables,
        coords=shared,
        method="simulate",
        parameters=parameters,
        source=tensor,
        seed=labels.seed,
    )
    return result.assign_attrs(said)


def _check_record(record: Sequence[str]) -> tuple[str, ...]:
    """Return what to record, or say why it cannot be."""
    names = (record,) if isinstance(record, str) else tuple(record)
    for name in names:
        if name in ("spikes", "spike", "spike_time", "spike_count"):
            message = (
                f"a rate network has no spikes to record ({name!r}): simulate its rates, then draw "
                "spikes with pdn.observe(sim, n_neurons)"
            )
            raise TensorError(message)
        if name not in _RECORDABLE:
            near = difflib.get_close_matches(str(name), _RECORDABLE, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            message = f"record may hold {', '.join(map(repr, _RECORDABLE))}, found {name!r}{guess}"
            raise TensorError(message)
    return names
