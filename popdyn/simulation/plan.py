"""What `simulate` was asked for, checked and ready to run."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from popdyn import __version__
from popdyn.errors import TensorError
from popdyn.network.kinds import Network
from popdyn.network.low_rank import LowRank
from popdyn.network.real_numbers import real_number
from popdyn.network.spiking import Spiking
from popdyn.resample import Seed, as_generator, spawn
from popdyn.simulation.arguments import (
    check_flag,
    check_known,
    check_whole,
    read_around,
    read_array,
    read_duration,
    read_names,
)
from popdyn.simulation.label import Labels, behavior_of, judges
from popdyn.simulation.memory import check_memory
from popdyn.simulation.noise import InputNoise
from popdyn.simulation.place import read_place
from popdyn.simulation.recording import bins_of
from popdyn.simulation.spiking_run import check_record as check_spiking_record
from popdyn.simulation.start import TrialInputs, check_noise, read_trials, rest
from popdyn.simulation.steps import DTYPES, METHODS, Array, Method
from popdyn.tasks import Task
from popdyn.tensor.result import digest


@dataclass(frozen=True)
class Plan:
    """A run that can begin; fields are the arguments of `simulate`, in steps where possible."""

    run: TrialInputs  # with the noise of the inputs
    trials: xr.Dataset
    free: bool  # a duration without input
    every: int  # steps per bin
    record: tuple[str, ...]
    noise: tuple[float, float]  # density, per step
    input_noise: InputNoise
    generators: list[np.random.Generator]
    seed: str
    initial_state: Any
    judge: Task | None
    continuous: bool
    around: tuple[int, int]  # steps
    path: Path | None
    overwrite: bool
    tile: int
    source_id: str
    dtype: str
    method: Method
    parameters: dict[str, Any]
    net_digest: str

    @classmethod
    def of(
        cls,
        net: Network,
        trials: xr.Dataset | None,
        duration: float | None,
        rng: Seed,
        bin_width: float,
        record: Sequence[str],
        *,
        noise: tuple[float, float],
        input_noise: tuple[float, float],
        initial_state: Any,
        task: Task | None,
        continuous: bool,
        around: tuple[float, float],
        path: Any,
        overwrite: bool,
        tile: int,
        source_id: str,
        dtype: str,
        method: Method,
    ) -> Plan:
        """Check what `simulate` was given.

        Raises
        ------
        TensorError, SourceError
            If something does not fit.
        """
        wanted = _read_record(net, record)
        check_flag("overwrite", overwrite)
        place = read_place(path, overwrite=overwrite)
        check_known("dtype", dtype, DTYPES)
        _check_method(net, method)
        bin_width = real_number("bin_width", bin_width, "a positive number of seconds")
        every = steps_per_bin(net.dt, bin_width)
        check_noise(noise_density=noise[0], noise_step=noise[1])
        check_noise(input_noise_density=input_noise[0], input_noise_step=input_noise[1])
        check_flag("continuous", continuous)
        state = None
        if initial_state is not None:
            state = read_array("initial_state", initial_state, "numbers, one per neuron")
        margin = read_around(around, net.dt, every, continuous, wanted)
        generator, seed = as_generator(rng)
        if (trials is None) == (duration is None):
            message = "give trials (from task.sample) or a duration in seconds, one of the two"
            raise TensorError(message)
        check_whole("tile", tile, "trial")
        given, fits = trials, partial(check_memory, net, record=wanted, in_file=place is not None)
        if given is None:
            seconds = read_duration(duration)
            fits(seconds / net.dt, seconds / bin_width, 1)
            given = rest(net, seconds, bin_width)
        run = read_trials(net, given)
        n_steps = int(run.n_steps.max()) + sum(margin)
        fits(n_steps, n_steps // every, run.n_trials)
        generators = spawn(generator, run.n_trials)
        senses = InputNoise(net.dt, *input_noise, generators)
        new = {
            "input_noise_density": input_noise[0],
            "input_noise_step": input_noise[1],
            "continuous": continuous,
            "around": list(around) if any(around) else None,
            "method": method if method != METHODS[0] else None,
        }
        return cls(
            run=senses.added(run),
            trials=given,
            free=trials is None,
            every=every,
            record=wanted,
            noise=noise,
            input_noise=senses,
            generators=generators,
            seed=seed,
            initial_state=state,
            judge=judges(task, trials, net.n_outputs),
            continuous=continuous,
            around=margin,
            path=place,
            overwrite=overwrite,
            tile=tile,
            source_id=source_id,
            dtype=dtype,
            method=method,
            parameters=_remembered(noise, bin_width, net.dt, new),
            net_digest=digest(net.to_dataset()),
        )

    def n_bins(self, dt: float) -> int:
        """Return how many bins the tensors hold."""
        bins_of(self.run, dt, self.every)
        return (int(self.run.n_steps.max()) + sum(self.around)) // self.every

    def labels(
        self, step_output: Array | None, said: Mapping[str, Any], **parameters: Any
    ) -> Labels:
        """Return what the result says about itself, once the network has answered."""
        behavior = {} if step_output is None else behavior_of(self.judge, self.trials, step_output)
        return Labels(
            bin_width=self.parameters["bin_width"],
            source_id=self.source_id,
            seed=self.seed,
            parameters=self.parameters | parameters,
            behavior=behavior,
            said=said,
            first_bin=self.around[0] // self.every,
            digest=hashlib.sha256(self.identity.encode()).hexdigest()[:16],
        )

    @cached_property
    def identity(self) -> str:
        """All that a quantity depends on, as text."""
        state = self.initial_state
        said = {
            **self.parameters,
            "version": __version__,
            "net": self.net_digest,
            "trials": digest(self.trials),
            "initial_state": None if state is None else digest(xr.DataArray(np.asarray(state))),
            "seed": self.seed,
            "tile": self.tile,
            "dtype": self.dtype,
        }
        return json.dumps(said, sort_keys=True, default=str)


def _remembered(
    noise: tuple[float, float], bin_width: float, dt: float, new: dict[str, Any]
) -> dict[str, Any]:
    """Say what the history of a result keeps: what came later only where it was used."""
    always = {
        "noise_density": noise[0], "noise_step": noise[1], "bin_width": bin_width, "dt": dt,
    }  # fmt: skip
    return always | {key: value for key, value in new.items() if value}


def _read_record(net: Network, record: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the tensors to keep; outputs are kept in any case."""
    names = tuple(dict.fromkeys(name for name in read_names(record) if name != "output"))
    if isinstance(net, Spiking):
        return check_spiking_record(names)
    latent = ("latent",) if isinstance(net, LowRank) else ()
    kept = ("rate", "state", "current", *latent, "output")
    known = {name: name for name in ("potential", *kept)} | {"state": "potential"}
    for name in names:
        if name in ("spikes", "spike", "spike_time", "spike_count"):
            message = (
                f"a rate network has no spikes to record ({name!r}): simulate its rates, then draw "
                "spikes with pdn.observe(sim, n_neurons)"
            )
            raise TensorError(message)
        if name not in known:
            near = difflib.get_close_matches(str(name), kept, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            names_known = f"{', '.join(map(repr, kept[:-1]))} and {kept[-1]!r}"
            message = f"record may hold {names_known}, found {name!r}{guess}"
            raise TensorError(message)
    return tuple(dict.fromkeys(known[name] for name in names))


def _check_method(net: Network, method: Any) -> None:
    """Refuse a way to step that is not known, or that a spiking network does not need."""
    if isinstance(net, Spiking) and method in METHODS[1:]:
        message = (
            f"method={method!r} is for rate networks: a spiking network is always exact between "
            "spikes; leave method out"
        )
        raise TensorError(message)
    check_known("method", method, METHODS)


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
