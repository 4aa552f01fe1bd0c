"""Spiking networks in torch, jax, snnTorch and norse: a matrix product with the spikes per step.

All run the same trials at once, in single precision, and count spikes without keeping them.  The
loops of torch and jax make the steps of popdyn; snnTorch has no refractory time, norse makes Euler
steps: both spike more, which costs them nothing.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from popdyn.network import Spiking
from popdyn.simulation.spiking_setup import prepare

# Before jax starts: one thread, as for everybody.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

# One call runs all trials, and returns the number of spikes.
Loop = Callable[[], float]


@dataclass
class Batch:
    """Trials of a network from given potentials, without inputs."""

    net: Spiking
    n_trials: int
    n_steps: int

    @property
    def start(self) -> np.ndarray:
        """First potentials ``(trial, neuron)``."""
        shape = (self.n_trials, self.net.n_neurons)
        return np.random.default_rng(0).random(shape).astype(np.float32)

    @property
    def weights(self) -> np.ndarray:
        """Weights ``(sender, target)``."""
        return np.ascontiguousarray(self.net.recurrent_fast.T, dtype=np.float32)

    @property
    def constants(self) -> tuple[float, float, float, float, int]:
        """Leak, constant drive, gain of the current, its decay, refractory steps."""
        c = prepare(self.net, "float32").constants
        drive = float(c.gain[0]) * float(np.ravel(self.net.bias)[0])
        return float(c.leak[0]), drive, float(c.gain_fast[0]), float(c.decay[0]), 2


def torch_loop(batch: Batch) -> Loop:
    import torch

    torch.set_num_threads(1)
    leak, drive, gain, decay, n_refractory = batch.constants
    weights, start = torch.from_numpy(batch.weights), torch.from_numpy(batch.start)

    @torch.no_grad()
    def run() -> float:
        v, current, left = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
        n_spikes = torch.zeros(())
        for _ in range(batch.n_steps):
            v.mul_(leak).add_(drive).add_(current, alpha=gain)
            v.masked_fill_(left > 0, 0.0)
            left.sub_(1)
            fired = v >= 1
            v.masked_fill_(fired, 0.0)
            left.masked_fill_(fired, n_refractory)
            spikes = fired.float()
            current.mul_(decay).addmm_(spikes, weights)
            n_spikes += spikes.sum()
        return float(n_spikes)

    return run


def jax_loop(batch: Batch) -> Loop:
    import jax

    leak, drive, gain, decay, n_refractory = batch.constants
    weights, start = jax.numpy.asarray(batch.weights), jax.numpy.asarray(batch.start)
    where = jax.numpy.where

    def step(carry: Any, _: None) -> tuple[Any, None]:
        v, current, left, n_spikes = carry
        v = where(left > 0, 0.0, leak * v + drive + gain * current)
        fired = v >= 1
        left = where(fired, n_refractory, left - 1)
        current = decay * current + fired.astype(v.dtype) @ weights
        return (where(fired, 0.0, v), current, left, n_spikes + fired.sum()), None

    @jax.jit
    def steps(v: Any) -> Any:
        zeros = jax.numpy.zeros_like(v)
        return jax.lax.scan(step, (v, zeros, zeros, 0), None, length=batch.n_steps)[0][3]

    return lambda: float(steps(start).block_until_ready())


def snntorch_loop(batch: Batch) -> Loop:
    import snntorch
    import torch

    torch.set_num_threads(1)
    leak, drive, gain, decay, _ = batch.constants
    neuron = snntorch.Synaptic(alpha=decay, beta=leak, reset_mechanism="zero")
    # Its potentials take up currents whole.
    weights = torch.from_numpy(gain * batch.weights)
    constant, start = drive * (1 - decay), torch.from_numpy(batch.start)

    @torch.no_grad()
    def run() -> float:
        v = start.clone()
        current = torch.full_like(v, drive)
        spikes = torch.zeros_like(v)
        n_spikes = torch.zeros(())
        for _ in range(batch.n_steps):
            spikes, current, v = neuron(spikes @ weights + constant, current, v)
            n_spikes += spikes.sum()
        return float(n_spikes)

    return run


def norse_loop(batch: Batch) -> Loop:
    import norse.torch as norse
    import torch

    torch.set_num_threads(1)
    net = batch.net
    n, rate = net.n_neurons, net.dt / net.tau_fast
    parameters = norse.LIFParameters(
        tau_syn_inv=torch.as_tensor(1 / net.tau_fast),
        tau_mem_inv=torch.as_tensor(1 / float(np.ravel(net.tau_membrane)[0])),
    )
    cell = norse.LIFRecurrentCell(1, n, p=parameters, dt=net.dt, autapses=True)
    bias, start = float(np.ravel(net.bias)[0]), torch.from_numpy(batch.start)

    @torch.no_grad()
    def run() -> float:
        cell.recurrent_weights.copy_(torch.from_numpy(batch.weights.T))
        cell.input_weights.fill_(bias * rate)
        zeros, constant = torch.zeros_like(start), torch.ones(batch.n_trials, 1)
        state = norse.LIFFeedForwardState(v=start.clone(), i=torch.full_like(start, bias))
        state = type(cell.initial_state(constant))(z=zeros, v=state.v, i=state.i)
        n_spikes = torch.zeros(())
        for _ in range(batch.n_steps):
            spikes, state = cell(constant, state)
            n_spikes += spikes.sum()
        return float(n_spikes)

    return run


LOOPS = {"torch": torch_loop, "jax": jax_loop, "snntorch": snntorch_loop, "norse": norse_loop}


def installed() -> dict[str, Callable[[Batch], Loop]]:
    """Those that are there."""
    return {name: make for name, make in LOOPS.items() if importlib.util.find_spec(name)}


def spent(loop: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    loop()
    return time.process_time() - start
