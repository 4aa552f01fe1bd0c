"""A rate network: the weights and constants of ``tau dx/dt = -x + J f(gain x) + B u + F z + b``.

The record holds numbers and checks their shapes; ``popdyn.simulate`` runs it and
``popdyn.train`` replaces its weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.network.rate_fields import DIMS, OPTIONAL_DIMS, check_shapes
from popdyn.network.rate_random import draw
from popdyn.network.rate_record import freeze
from popdyn.network.rate_store import restored, stored
from popdyn.network.rate_weights import fields_from_weights

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rate:
    """Weights and constants of a rate network.

    The state ``x (neuron,)`` follows
    ``tau dx/dt = -x + recurrent @ r + input @ u + feedback @ z + bias`` with the rates
    ``r = f(gain * x)``, ``f`` the nonlinearity, and the output ``z = output @ r + output_bias``.
    Noise is no part of the network: it is an argument of `popdyn.simulate`.

    State, rates, inputs and outputs are dimensionless, and so is every field but `tau` and `dt`.
    The arrays are copied to float64 and made read-only.  To change one, for instance to put
    in trained output weights, use ``dataclasses.replace(net, output=weights)``.

    Parameters
    ----------
    recurrent : array, shape (n_neurons, n_neurons)
        Recurrent weights, dimensionless; row = receiving neuron, column = sending neuron.
    input : array, shape (n_neurons, n_inputs)
        Input weights, dimensionless.
    output : array, shape (n_outputs, n_neurons)
        Output weights, dimensionless.
    bias : array, shape (n_neurons,), optional
        Constant input to each neuron, dimensionless; 0 by default.
    tau : float or array, shape (n_neurons,)
        Time constant of the neurons, in seconds: one for all, or one each.
    dt : float
        Step of the simulation, in seconds, at most `tau`.
    nonlinearity : {"tanh", "relu", "softplus", "sigmoid", "linear", "erf"}
        From state to rate, both dimensionless: ``tanh(x)``, ``max(x, 0)``, ``log(1 + exp(x))``,
        ``1 / (1 + exp(-x))``, ``x``, ``2/sqrt(pi)`` times the integral of ``exp(-t²)`` to ``x``.
    feedback : array, shape (n_neurons, n_outputs), optional
        Weights of the output back onto the neurons, dimensionless; none by default.
    output_bias : array, shape (n_outputs,), optional
        Constant part of each output, dimensionless; 0 by default.
    gain : array, shape (n_neurons,), optional
        Slope of each neuron: its rate is ``f(gain * x)``, dimensionless; 1 by default.
    population : array of text, shape (n_neurons,), optional
        Name of the population of each neuron.

    Raises
    ------
    TensorError
        If shapes disagree, a number is not finite, `tau` or `dt` is not positive, `dt` is
        longer than `tau`, or the nonlinearity is not known.

    Warns
    -----
    PopdynWarning
        When `tau` (from 5 s) or `dt` (from 0.5 s) looks like milliseconds.

    See Also
    --------
    Rate.random : a network with random weights.
    Rate.from_weights : a network from arrays by name, for instance of a PyTorch state dict.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.network import Rate
    >>> net = Rate(np.zeros((3, 3)), np.ones((3, 1)), np.ones((1, 3)), tau=0.1, dt=0.01)
    >>> net
    Rate(n_neurons=3, n_inputs=1, n_outputs=1, tau=0.1 s, dt=0.01 s, nonlinearity='tanh')
    """

    recurrent: Array
    input: Array
    output: Array
    bias: Any = None
    tau: float | Array = 0.1
    dt: float = 0.01
    nonlinearity: str = "tanh"
    _: KW_ONLY
    feedback: Array | None = None
    output_bias: Array | None = None
    gain: Array | None = None
    population: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        freeze(self, DIMS, OPTIONAL_DIMS, check_shapes)

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.recurrent.shape[0])

    @property
    def n_inputs(self) -> int:
        """Number of input channels."""
        return int(self.input.shape[1])

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return int(self.output.shape[0])

    def __repr__(self) -> str:
        tau = f"{np.min(self.tau):g}"
        tau += f" to {np.max(self.tau):g}" if np.ndim(self.tau) else ""
        fed_back = ", feedback" if self.feedback is not None else ""
        return (
            f"Rate(n_neurons={self.n_neurons}, n_inputs={self.n_inputs}, "
            f"n_outputs={self.n_outputs}, tau={tau} s, dt={self.dt:g} s, "
            f"nonlinearity={self.nonlinearity!r}{fed_back})"
        )

    @classmethod
    def random(
        cls,
        n_neurons: int,
        *,
        g: float = 1.5,
        n_inputs: int = 1,
        n_outputs: int = 1,
        tau: float | Sequence[float] | Array = 0.1,
        dt: float = 0.01,
        density: float = 1.0,
        nonlinearity: str = "tanh",
        excitatory: float | None = None,
        feedback: float = 0.0,
        rng: int | np.random.Generator = 0,
    ) -> Rate:
        """Draw a network with independent weights.

        Recurrent weights are N(0, g²/(density·n_neurons)), each present with probability
        `density`, so that the spectral radius is close to `g` whatever the size and density;
        input weights are N(0, 1), so that an input of 1 moves a neuron's state by about 1;
        output weights are N(0, 1/n_neurons), so that outputs are of the order of the rates;
        the bias is zero.

        With Dale's law (`excitatory`) the first neurons are excitatory, the others inhibitory: all
        weights of a sender have its sign, with sizes ``|N(0, 1)|`` if excitatory and
        ``f/(1 - f) |N(0, 1)|`` if inhibitory, where ``f`` is the share of excitatory ones.  Those
        onto each neuron are scaled, its excitatory and inhibitory ones by inverse factors, so
        that its row sums to zero: the common mean of the weights would else have an eigenvalue
        far outside the others.  (A neuron of a sparse network that hears one side alone gets a
        weight of the other.)  Last, all are scaled to a sum of squared deviations from the means
        of the senders of ``n_neurons g²``, so that the spectral radius is again `g` within a
        tenth (Rajan & Abbott 2006).

        Parameters
        ----------
        n_neurons : int
            Number of neurons.
        g : float
            Gain of the recurrent weights, dimensionless: below 1 a tanh network without input
            falls silent, above 1 a large one is chaotic.
        n_inputs, n_outputs : int
            Number of input channels and of outputs.
        tau : float, pair or array
            Time constant in seconds.  A pair ``(shortest, longest)``, tuple or list, draws one for
            each neuron, log-uniform; an array of shape (n_neurons,) gives them.
        dt : float
            Step, in seconds.
        density : float
            Share of the recurrent weights that are not zero, in (0, 1].
        nonlinearity : str
            See `Rate`.
        excitatory : float, optional
            Share of excitatory neurons, between 0 and 1, for Dale's law; `population` then says
            ``"excitatory"`` or ``"inhibitory"``.
        feedback : float
            Feedback weights are U(-feedback, feedback); 0 for none.
        rng : int or numpy.random.Generator
            Seed, or generator to draw from.

        Returns
        -------
        Rate

        Raises
        ------
        TensorError
            If a size is not a positive whole number, `g` or `feedback` negative, `density`
            outside (0, 1], `excitatory` leaves a side without neurons, or the weights do not fit
            the memory of the machine.

        Examples
        --------
        >>> import popdyn as pdn
        >>> net = pdn.network.Rate.random(100, g=0.9, rng=1)
        >>> round(float(net.recurrent.std() * 100**0.5), 1)
        0.9
        >>> net = pdn.network.Rate.random(100, excitatory=0.8, tau=(0.02, 0.2), rng=1)
        >>> bool((net.recurrent[:, net.population == "excitatory"] >= 0).all())
        True
        """
        sizes = {"n_neurons": n_neurons, "n_inputs": n_inputs, "n_outputs": n_outputs}
        fields = draw(sizes, g, density, excitatory, feedback, tau, rng)
        return cls(**fields, dt=dt, nonlinearity=nonlinearity)

    @classmethod
    def from_weights(
        cls,
        weights: Mapping[str, Any],
        *,
        dt: float | None = None,
        tau: Any = None,
        nonlinearity: str | None = None,
        recurrent: str | None = None,
        readout: str | None = None,
    ) -> Rate:
        """Make a network from arrays by name, as `popdyn.read_weights` returns them.

        Two sets of names are understood.  Those of this record (``recurrent``, ``input``,
        ``output``, ``bias``, ``tau``, ``dt``, ``nonlinearity`` and the optional fields), as
        `popdyn.io.weights.write_weights` stores them.  And those of a PyTorch state dict with an
        ``nn.RNN`` of one layer and a linear readout::

            h[t] = f(weight_ih_l0 u[t] + bias_ih_l0 + weight_hh_l0 h[t-1] + bias_hh_l0)
            z[t] = weight h[t] + bias

        which is this network's Euler step with ``dt = tau``: ``x[t] = J f(x[t-1]) + B u[t] + b``,
        ``h = f(x)``, and the output that answers to an input is that at the end of its step.
        ``h = 0`` at the start is ``x = 0`` for tanh and relu.

        Parameters
        ----------
        weights : mapping of text to array
            Arrays by name; names of a state dict may have prefixes (``model.rnn.weight_hh_l0``).
        dt : float, optional
            Step in seconds; for an ``nn.RNN``, which knows no seconds, it must be given.
        tau : float or array, optional
            Time constant in seconds; of an ``nn.RNN`` by default `dt`.  Give another one only for
            a module of your own that makes leaky steps with these names.
        nonlinearity : str, optional
            For an ``nn.RNN``, whose state dict does not tell, ``"tanh"`` by default.
        recurrent : str, optional
            Name of the recurrent module (what stands before ``.weight_hh_l0``), if there are
            several.
        readout : str, optional
            Name of the linear module (what stands before ``.weight``), if there are several.

        Returns
        -------
        Rate

        Raises
        ------
        TensorError
            If the names are not understood, shapes do not fit, a number is missing, or the
            weights are those of gates (LSTM, GRU), of several layers or of both directions.

        Warns
        -----
        PopdynWarning
            When arrays beside those of this record's names are left out, or none is ``tau``, which
            is then 0.1 s.

        Examples
        --------
        >>> import numpy as np
        >>> from popdyn.network import Rate
        >>> state = {"rnn.weight_ih_l0": np.ones((5, 2)), "rnn.weight_hh_l0": np.eye(5),
        ...          "fc.weight": np.ones((1, 5))}
        >>> Rate.from_weights(state, dt=0.02)
        Rate(n_neurons=5, n_inputs=2, n_outputs=1, tau=0.02 s, dt=0.02 s, nonlinearity='tanh')
        """
        given = {"dt": dt, "tau": tau, "nonlinearity": nonlinearity}
        said = {name: value for name, value in given.items() if value is not None}
        return cls(**fields_from_weights(weights, said, recurrent, readout))

    def to_dataset(self) -> xr.Dataset:
        """Return the network as a Dataset, which `popdyn.save` writes and trees hold.

        Returns
        -------
        xarray.Dataset
            ``recurrent (neuron, presynaptic)``, ``input (neuron, channel)``,
            ``output (readout, neuron)``, ``bias (neuron)``, ``tau`` (of all neurons or
            ``(neuron)``) and ``dt`` in seconds; where the network has them
            ``feedback (neuron, readout)``, ``gain (neuron)`` and ``population (neuron)``;
            the nonlinearity in ``attrs``.
        """
        return stored(self)

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> Rate:
        """Rebuild a network from what `to_dataset` returned, now or in earlier versions.

        Parameters
        ----------
        dataset : xarray.Dataset
            Variables and attributes as in `to_dataset`.

        Returns
        -------
        Rate

        Raises
        ------
        TensorError
            If a variable or the nonlinearity is missing.
        """
        return cls(**restored(dataset))
