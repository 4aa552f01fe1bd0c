"""Run a rate network on trials; what `simulate` calls for `Rate` and `LowRank`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.network.kinds import RateLike
from popdyn.network.low_rank import LowRank
from popdyn.progress import watched
from popdyn.simulation.keep import NOT_OF_NEURONS, STEPS, Keeper, Memory, Shapes
from popdyn.simulation.label import as_tensors
from popdyn.simulation.plan import Plan
from popdyn.simulation.recording import Recording, run_tiles, tiles_of
from popdyn.simulation.start import initial_states
from popdyn.simulation.state_noise import noise_of_step
from popdyn.simulation.steps import Array, block_length, single_thread
from popdyn.simulation.stream import run_stream, segments_of


def simulate_rate(net: RateLike, plan: Plan) -> xr.Dataset:
    """Run, keep and label.

    Parameters
    ----------
    net : Rate or LowRank
        The network.
    plan : Plan
        What was asked for.

    Returns
    -------
    Dataset
        As `popdyn.simulate` returns it.

    Raises
    ------
    TensorError, FitError
        As `popdyn.simulate`.
    """
    run = plan.run
    if plan.continuous:
        segments_of(run, net.dt)
    initial = first_states(net, plan)
    sizes = (net.n_neurons, net.n_outputs, plan.n_bins(net.dt), len(run.inputs), run.n_trials)
    shapes = Shapes(*sizes, n_latents=net.n_ranks if isinstance(net, LowRank) else 0)
    with keeping(plan, shapes, (*plan.record, "output")) as keeper:
        recording = Recording(net, run, keeper, plan.every, shapes.n_bins, plan.method, plan.dtype)
        tile = 1 if plan.continuous else min(plan.tile, run.n_trials)
        text = f"simulating {run.n_trials} trials"
        with np.errstate(over="ignore", invalid="ignore"), single_thread(net, tile):
            for _ in watched(*_work(net, plan, initial, recording), text):
                pass
        extra: dict[str, Any] = {"tile": plan.tile}
        extra |= {"dtype": plan.dtype} if plan.dtype != "float64" else {}
        steps = keeper.steps() if plan.judge is not None else None
        labels = plan.labels(steps, {"nonlinearity": net.nonlinearity}, **extra)

        def labelled(values: Mapping[str, Any]) -> xr.Dataset:
            others = {name: values[name] for name in NOT_OF_NEURONS if name in keeper.names}
            tensors = {name: (values[name], "1") for name in plan.record if name not in others}
            return as_tensors(net, run, labels, tensors, others)

        return keeper.result(labelled)


def _work(
    net: RateLike, plan: Plan, initial: Array, recording: Recording
) -> tuple[Iterator[None], int]:
    """Return the run, and in how many pieces it comes."""
    run, std = plan.run, noise_of_step(net, *plan.noise, plan.method)
    if plan.continuous:
        first = int(np.argmin(run.start_time))
        args = (initial[first : first + 1], std, plan.generators, plan.input_noise, recording)
        return run_stream(*args, plan.around), run.n_trials
    tiles = tiles_of(run.n_trials, plan.tile)
    n_blocks = sum(
        -(-len(run.inputs) // block_length(part.stop - part.start, net.n_neurons)) for part in tiles
    )
    return run_tiles(initial, std, plan.generators, plan.tile, recording), n_blocks


def first_states(net: RateLike, plan: Plan) -> Array:
    """Return the first states ``(trial, neuron)`` in the precision of the run."""
    given = plan.initial_state
    if plan.continuous and given is not None and np.ndim(given) != 1:
        message = (
            f"initial_state must have shape ({net.n_neurons},) with continuous=True, the state at "
            f"the start of the first trial; found {np.shape(given)}"
        )
        raise TensorError(message)
    states = initial_states(net, given, plan.run.n_trials, plan.generators, random=plan.free)
    return states.astype(plan.dtype, copy=False)


@contextmanager
def keeping(plan: Plan, shapes: Shapes, names: tuple[str, ...]) -> Iterator[Keeper]:
    """Keep numbers in memory or in a file; an interrupted file can be gone on with."""
    if plan.judge is not None:
        names = (*names, STEPS)
    if plan.path is None:
        yield Memory(names, shapes)
        return
    # h5netcdf is wanted only here.
    from popdyn.simulation.stored import Stored

    tile = 1 if plan.continuous else plan.tile
    keeper = Stored(plan.path, names, shapes, tile, plan.identity, overwrite=plan.overwrite)
    can_go_on = False
    try:
        yield keeper
    except KeyboardInterrupt:
        can_go_on = not plan.continuous
        raise
    finally:
        keeper.close(keep=can_go_on)
