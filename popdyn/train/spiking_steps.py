"""What takes a spiking network over a step, as the kernel that learns wants it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.network.spiking import Spiking
from popdyn.network.spiking_fields import Matrix
from popdyn.simulation.spiking_setup import constants
from popdyn.train.spiking_kernels import Neurons, Traces

Array = NDArray[np.float64]


def steps_of(net: Spiking) -> tuple[Neurons, Traces]:
    """Return the constants of neurons and of filtered spikes over a step.

    Parameters
    ----------
    net : Spiking
        The network; one `tau_membrane` for all of its neurons.

    Returns
    -------
    neurons : Neurons
    traces : Traces
        A current made of these traces does over a step what a synaptic current made of spikes
        would do that jumps by 1.
    """
    by_step = constants(net, np.dtype(np.float64))

    def each(values: Any) -> Array:
        return np.array(np.broadcast_to(values, net.n_neurons), dtype=np.float64)

    neurons = Neurons(
        leak=each(by_step.leak),
        gain=each(by_step.gain),
        gain_fast=each(by_step.gain_fast),
        gain_slow=each(by_step.gain_slow),
        threshold=each(by_step.threshold),
        reset=each(by_step.reset),
        n_refractory=each(by_step.n_refractory),
        bias=each(np.asarray(net.bias) + net.rest),
    )
    jump = [float(by_step.gain_slow[0] / by_step.gain[0])]
    jump.append(float(by_step.gain_fast[0] / by_step.gain[0]))
    decay = np.array([by_step.decay[1], by_step.decay[0]], dtype=np.float64)
    return neurons, Traces(decay, np.array(jump))


def dense(matrix: Matrix) -> Array:
    """Return recurrent weights as an array."""
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def by_sender(matrix: Matrix | None) -> Array:
    """Return recurrent weights with the targets of a sender in a row; no rows if there are none."""
    if matrix is None or not dense(matrix).any():
        return np.zeros((0, 0))
    return np.ascontiguousarray(dense(matrix).T)
