"""A spiking network: leaky integrate-and-fire neurons with exponential synapses.

The record holds weights and constants and checks that they fit; ``popdyn.simulate`` runs it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network import spiking_fields as check
from popdyn.network.doubtful_seconds import doubt_seconds
from popdyn.network.spiking_fields import Array, Matrix, Number
from popdyn.network.spiking_random import draw
from popdyn.network.spiking_store import restored, stored
from popdyn.network.spiking_weights import spiking_fields
from popdyn.network.weight_names import refuse_unknown_fields

UNITS = ("1", "mV")

# Constants that are one number for all neurons.
_SHARED = ("tau_fast", "tau_slow", "dt")
_DURATIONS = ("tau_membrane", *_SHARED, "refractory", "delay")


@dataclass(frozen=True, eq=False, repr=False)
class Spiking:
    """Weights and constants of a network of leaky integrate-and-fire neurons.

    The potential ``v`` of a neuron follows ``tau_membrane dv/dt = rest - v + I``, where the
    current ``I`` is the sum of ``bias``, ``input @ u``, ``feedback @ z`` and of a fast and a slow
    synaptic current.  A neuron whose potential reaches ``threshold`` at the end of a step spikes
    there; it is put to ``reset`` and stays for ``refractory`` seconds.  ``delay`` seconds after a
    spike of neuron j the synaptic currents of its targets i jump by ``recurrent_fast[i, j]`` and
    ``recurrent_slow[i, j]``; they decay with ``tau_fast`` and ``tau_slow``.  The output is
    ``z = output_fast @ s_fast + output_slow @ s_slow``, where the filtered spikes ``s`` jump by 1
    at each spike of the neuron, without delay, and decay likewise.

    Currents are in units of the potential (a resistance of 1 is absorbed): an excitatory weight
    is positive.  Arrays are copied to float64 and made read-only; to change one, use
    ``dataclasses.replace(net, output_slow=weights)``.

    Parameters
    ----------
    recurrent_fast : array or scipy.sparse array, shape (n_neurons, n_neurons)
        Jump of the fast current of the row's neuron at a spike of the column's, in `unit`.
    recurrent_slow : array or scipy.sparse array, optional
        The same for the slow current; by default there are no slow synapses.
    input : array, shape (n_neurons, n_inputs), optional
        Current per input of 1, in `unit`; by default one channel that nobody listens to.
    output_fast, output_slow : array, shape (n_outputs, n_neurons), optional
        Weights of the filtered spikes in the output, dimensionless; 0 by default.
    feedback : array, shape (n_neurons, n_outputs), optional
        Current per output of 1, in `unit`; by default the output is not fed back.
    bias : float or array, shape (n_neurons,)
        Constant current, in `unit`.
    tau_membrane : float or array, shape (n_neurons,)
        Time constant of the potential, in seconds.
    tau_fast, tau_slow : float
        Time constants of the synaptic currents and of the filtered spikes, in seconds.
    threshold, reset, rest : float or array, shape (n_neurons,)
        Potentials, in `unit`; the reset is below the threshold.
    refractory : float or array, shape (n_neurons,)
        Seconds at the reset after a spike, a whole number of steps.
    delay : float or array, shape (n_neurons,)
        Seconds from a neuron's spike to the jumps it causes, a whole number of steps.
    dt : float
        Step of the simulation in seconds, no longer than any time constant.
    unit : {"1", "mV"}
        Unit of potentials and currents: dimensionless, or millivolts.
    population : sequence of str, shape (n_neurons,), optional
        Name of the population each neuron belongs to.

    Raises
    ------
    TensorError
        If shapes disagree, a number is not finite, a time constant is not positive or shorter
        than `dt`, `refractory` or `delay` is off the grid of steps, or a reset is not below its
        threshold.

    Warns
    -----
    PopdynWarning
        When a time constant (from 5 s), or `dt`, `refractory` or `delay` (from 0.5 s), looks like
        milliseconds.

    See Also
    --------
    Spiking.random : a network with random weights.
    Spiking.from_weights : a network from arrays by name.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.network import Spiking
    >>> Spiking(np.zeros((3, 3)), bias=1.5, tau_membrane=0.02, dt=0.0001)
    Spiking(n_neurons=3, n_inputs=1, n_outputs=1, tau_membrane=0.02 s, dt=0.0001 s, unit='1')
    """

    recurrent_fast: Matrix
    recurrent_slow: Matrix | None = None
    input: Any = None
    output_fast: Any = None
    output_slow: Any = None
    feedback: Array | None = None
    bias: Number = 0.0
    tau_membrane: Number = 0.020
    tau_fast: float = 0.005
    tau_slow: float = 0.100
    threshold: Number = 1.0
    reset: Number = 0.0
    rest: Number = 0.0
    refractory: Number = 0.002
    delay: Number = 0.0
    dt: float = 0.001
    unit: str = "1"
    population: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "recurrent_fast", check.recurrent_matrix("recurrent_fast", self.recurrent_fast))
        if self.recurrent_slow is not None:
            slow = check.recurrent_matrix("recurrent_slow", self.recurrent_slow)
            put(self, "recurrent_slow", slow)
            _same_neurons(self)
        for name, values in _projections(self).items():
            put(self, name, values)
        for name in _SHARED:
            put(self, name, check.positive(name, getattr(self, name), None))
        put(self, "tau_membrane", check.positive("tau_membrane", self.tau_membrane, self.n_neurons))
        _check_step(self)
        for name in ("bias", "threshold", "reset", "rest"):
            put(self, name, check.numbers(name, getattr(self, name), self.n_neurons))
        for name in ("refractory", "delay"):
            put(self, name, check.on_grid(name, getattr(self, name), self.n_neurons, self.dt))
        if self.population is not None:
            put(self, "population", check.labels(self.population, self.n_neurons))
        _check_constants(self)
        doubt_seconds({name: getattr(self, name) for name in _DURATIONS})

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.recurrent_fast.shape[0])

    @property
    def n_inputs(self) -> int:
        """Number of input channels."""
        return int(self.input.shape[1])

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return int(self.output_slow.shape[0])

    def __repr__(self) -> str:
        tau = f"{np.mean(self.tau_membrane):g} s{' on average' * bool(np.ndim(self.tau_membrane))}"
        return (
            f"Spiking(n_neurons={self.n_neurons}, n_inputs={self.n_inputs}, "
            f"n_outputs={self.n_outputs}, tau_membrane={tau}, dt={self.dt:g} s, "
            f"unit={self.unit!r})"
        )

    @classmethod
    def random(
        cls,
        n_neurons: int,
        *,
        g: float = 0.9,
        inhibition: float = 1.0,
        g_slow: float = 0.0,
        bias: float = 1.15,
        n_inputs: int = 1,
        n_outputs: int = 1,
        density: float = 1.0,
        excitatory: float | None = None,
        rng: int | np.random.Generator = 0,
        **constants: Any,
    ) -> Spiking:
        """Draw a network with random weights, dimensionless: reset 0, threshold 1.

        Each neuron receives from another with probability `density`, on average from
        ``n_sources = density * n_neurons``; none from itself.  Fast weights are
        N(-inhibition/n_sources, g²/n_sources), slow ones N(0, g_slow²/n_sources), so that the mean
        and the variance of a neuron's current do not depend on size and density.  With
        `excitatory`, weights obey Dale's law and are not random in size: the first neurons have
        ``g/sqrt(n_sources)``, the others the negative weight at which both sides cancel, times
        ``1 + inhibition/4``, and `population` says who is who.  Input weights are N(0, 1), slow
        output weights N(0, 1/n_neurons), fast ones 0.

        Below 15 % density the weights are sparse.

        Parameters
        ----------
        n_neurons : int
            Number of neurons.
        g, g_slow : float
            Size of the fast and of the slow weights, in units of the threshold.
        inhibition : float
            Excess of inhibition, see above.
        bias : float
            Constant current; above 1 neurons fire by themselves.
        n_inputs, n_outputs : int
            Number of input channels and of outputs.
        density : float
            Probability of a connection, in (0, 1].
        excitatory : float, optional
            Share of the neurons that are excitatory, in (0, 1), for Dale's law.
        rng : int or numpy.random.Generator
            Seed, or generator to draw from.
        **constants
            Any other field of `Spiking`, such as ``dt=0.0005`` or ``tau_membrane=0.01``.

        Returns
        -------
        Spiking

        Raises
        ------
        TensorError
            If a size is not a positive whole number, a share outside its range, or the weights do
            not fit the memory of the machine.

        Examples
        --------
        >>> import popdyn as pdn
        >>> net = pdn.network.Spiking.random(200, density=0.05, excitatory=0.8, rng=1)
        >>> net.population[159:161]
        array(['excitatory', 'inhibitory'], dtype='<U10')
        """
        names = [field.name for field in dataclasses.fields(cls)]
        refuse_unknown_fields("spiking", constants, names)
        drawn = draw(
            sizes={"n_neurons": n_neurons, "n_inputs": n_inputs, "n_outputs": n_outputs},
            strengths={"g": g, "g_slow": g_slow, "inhibition": inhibition},
            density=density,
            excitatory=excitatory,
            rng=rng,
        )
        return cls(**{**drawn, "bias": bias, **constants})

    @classmethod
    def from_weights(cls, weights: Mapping[str, Any], **fields: Any) -> Spiking:
        """Make a network from arrays by name, as `popdyn.read_weights` returns them.

        Parameters
        ----------
        weights : mapping of text to array
            By the names of the fields, of which ``recurrent_fast`` must be there; sparse
            recurrent weights also as the three arrays that `popdyn.write_weights` makes of them,
            ``recurrent_fast_weight``, ``_target`` and ``_start`` (see `to_dataset`).  What is not
            there is as in `Spiking`; constants may have the shapes of MATLAB.
        **fields
            Fields of `Spiking` that are not in `weights`, or otherwise: they win.

        Returns
        -------
        Spiking

        Raises
        ------
        TensorError
            If there are no recurrent weights, the arrays do not make a network, or a keyword is
            no field of it.

        Warns
        -----
        PopdynWarning
            When arrays are left out that are no field of the network.

        Examples
        --------
        >>> import numpy as np, popdyn as pdn
        >>> weights = {"recurrent_fast": np.zeros((3, 3)), "tau_membrane": np.array([[0.01]])}
        >>> pdn.network.Spiking.from_weights(weights, dt=0.0005)
        Spiking(n_neurons=3, n_inputs=1, n_outputs=1, tau_membrane=0.01 s, dt=0.0005 s, unit='1')
        """
        names = tuple(field.name for field in dataclasses.fields(cls))
        return cls(**spiking_fields(weights, names, fields))

    def to_dataset(self) -> xr.Dataset:
        """Return the network as a Dataset, which `popdyn.save` writes and trees hold.

        Returns
        -------
        xarray.Dataset
            A variable per field, recurrent weights as ``(neuron, presynaptic)``.  Sparse ones
            are three variables, by sender: ``<name>_weight`` and ``<name>_target`` of each
            synapse, and ``<name>_start``, where each sender's synapses begin.
        """
        return stored(self)

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> Spiking:
        """Rebuild a network from what `to_dataset` returned.

        Parameters
        ----------
        dataset : xarray.Dataset
            Variables and attributes as in `to_dataset`.

        Returns
        -------
        Spiking

        Raises
        ------
        TensorError
            If a variable or the unit is missing.
        """
        return cls(**restored(dataset))


def _projections(net: Spiking) -> dict[str, Array]:
    """Return input, output and feedback weights that fit the neurons and each other."""
    n = net.n_neurons
    inputs = np.zeros((n, 1)) if net.input is None else net.input
    found = {"input": check.weights("input", inputs, (n, None), f"({n}, n_inputs)")}
    n_outputs: int | None = None
    for name in ("output_slow", "output_fast"):
        values = getattr(net, name)
        if values is not None:
            words = f"({'n_outputs' if n_outputs is None else n_outputs}, {n})"
            found[name] = check.weights(name, values, (n_outputs, n), words)
            n_outputs = found[name].shape[0]
    n_outputs = n_outputs or 1
    for name in {"output_slow", "output_fast"} - set(found):
        found[name] = check.numeric(name, np.zeros((n_outputs, n)))
    if net.feedback is not None:
        shape = (n, n_outputs)
        found["feedback"] = check.weights("feedback", net.feedback, shape, f"{shape}")
    return found


def _same_neurons(net: Spiking) -> None:
    """Refuse slow weights of another size than the fast ones."""
    if net.recurrent_slow is not None and net.recurrent_slow.shape != net.recurrent_fast.shape:
        message = (
            f"recurrent_slow must have the shape of recurrent_fast {net.recurrent_fast.shape}, "
            f"found {net.recurrent_slow.shape}"
        )
        raise TensorError(message)


def _check_step(net: Spiking) -> None:
    """Refuse a step longer than a time constant."""
    for name in ("tau_membrane", "tau_fast", "tau_slow"):
        shortest = float(np.min(getattr(net, name)))
        if net.dt > shortest * (1 + 1e-9):
            message = (
                f"dt must not be longer than a time constant, found dt={net.dt:g} s and "
                f"{name}={shortest:g} s: spikes happen at the ends of steps only. Use a smaller dt"
            )
            raise TensorError(message)


def _check_constants(net: Spiking) -> None:
    """Refuse a reset that is not below threshold, and an unknown unit."""
    reset, threshold = np.broadcast_arrays(np.atleast_1d(net.reset), net.threshold)
    above = np.flatnonzero(reset >= threshold)
    if above.size:
        first = int(above[0])
        message = (
            f"reset must be below threshold, found reset={reset[first]:g} and "
            f"threshold={threshold[first]:g} (first at neuron {first}): it would spike for ever"
        )
        raise TensorError(message)
    if net.unit not in UNITS:
        message = f"unit must be one of {', '.join(map(repr, UNITS))}, found {net.unit!r}"
        raise TensorError(message)
