"""A rate network of low rank: ``tau dx/dt = -x + m (nᵀ f(gain x)) / N + B u + b``.

The record holds numbers and checks their shapes; ``popdyn.simulate`` runs it,
``popdyn.train.backprop`` learns its weights and ``popdyn.dynamics`` reads its mechanism.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.network.low_rank_factors import canonical_factors, rate_fields, truncated_fields
from popdyn.network.low_rank_fields import DIMS, OPTIONAL_DIMS, check_shapes
from popdyn.network.low_rank_random import draw
from popdyn.network.low_rank_store import restored, stored
from popdyn.network.low_rank_weights import fields_from_weights
from popdyn.network.rate import Rate
from popdyn.network.rate_record import freeze

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LowRank:
    """Loadings and constants of a rate network whose recurrent weights have a low rank.

    The state ``x (neuron,)`` of N neurons follows
    ``tau dx/dt = -x + m @ (n.T @ r) / N + input @ u + bias`` with the rates ``r = f(gain * x)``,
    ``f`` the nonlinearity, and the output ``z = output @ r / N + output_bias``.  Divided by N
    the entries of `m`, `n`, `input` and `output` are of order 1 at any size of the network.
    Noise is no part of the network: it is an argument of `popdyn.simulate`.

    State, rates, inputs and outputs are dimensionless, and so is every field but `tau` and `dt`.
    The arrays are copied to float64 and made read-only.  To change one use
    ``dataclasses.replace(net, output=weights)``.

    Parameters
    ----------
    m : array, shape (n_neurons, n_ranks)
        Output loadings of the recurrent weights, dimensionless: directions of the states that the
        recurrent weights drive, one for each latent.
    n : array, shape (n_neurons, n_ranks)
        Input loadings, dimensionless: how much each neuron's rate adds to the latents.
    input : array, shape (n_neurons, n_inputs)
        Input weights, dimensionless.
    output : array, shape (n_outputs, n_neurons)
        Output weights, dimensionless, divided by `n_neurons` where they are used.
    bias : array, shape (n_neurons,), optional
        Constant input to each neuron, dimensionless; 0 by default.
    tau : float or array, shape (n_neurons,)
        Time constant of the neurons, in seconds: one for all, or one each.
    dt : float
        Step of the simulation, in seconds, at most `tau`.
    nonlinearity : {"tanh", "relu", "softplus", "sigmoid", "linear", "erf"}
        From state to rate, as in `Rate`.
    output_bias : array, shape (n_outputs,), optional
        Constant part of each output, dimensionless; 0 by default.
    gain : array, shape (n_neurons,), optional
        Slope of each neuron: its rate is ``f(gain * x)``, dimensionless; 1 by default.
    population : array of text, shape (n_neurons,), optional
        Name of the population of each neuron.
    initial : array, shape (n_neurons,), optional
        State at the start of a trial, dimensionless; 0 by default.

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
    LowRank.random : a network with random loadings.
    LowRank.from_weights : a network from arrays by name, such as the state dicts of LINT.
    Rate : a network with any recurrent weights.

    References
    ----------
    Mastrogiuseppe & Ostojic (2018), Neuron 99:609.  Dubreuil, Valente, Beiran, Mastrogiuseppe &
    Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.network import LowRank
    >>> LowRank(np.ones((4, 2)), np.ones((4, 2)), np.ones((4, 1)), np.ones((1, 4)))
    LowRank(n_neurons=4, n_ranks=2, n_inputs=1, n_outputs=1, tau=0.1 s, dt=0.02 s, \
nonlinearity='tanh')
    """

    m: Array
    n: Array
    input: Array
    output: Array
    bias: Any = None
    tau: float | Array = 0.1
    dt: float = 0.02
    nonlinearity: str = "tanh"
    _: KW_ONLY
    output_bias: Array | None = None
    gain: Array | None = None
    population: NDArray[np.str_] | None = None
    initial: Array | None = None

    def __post_init__(self) -> None:
        freeze(self, DIMS, OPTIONAL_DIMS, check_shapes)

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.m.shape[0])

    @property
    def n_ranks(self) -> int:
        """Number of latents: the largest rank the recurrent weights can have."""
        return int(self.m.shape[1])

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
        return (
            f"LowRank(n_neurons={self.n_neurons}, n_ranks={self.n_ranks}, "
            f"n_inputs={self.n_inputs}, n_outputs={self.n_outputs}, tau={tau} s, dt={self.dt:g} s, "
            f"nonlinearity={self.nonlinearity!r})"
        )

    @classmethod
    def random(
        cls,
        n_neurons: int,
        *,
        n_ranks: int = 1,
        n_inputs: int = 1,
        n_outputs: int = 1,
        tau: float | Array = 0.1,
        dt: float = 0.02,
        nonlinearity: str = "tanh",
        rng: int | np.random.Generator = 0,
    ) -> LowRank:
        """Draw a network with independent loadings, from which training can start.

        `m`, `n` and the input weights are N(0, 1), the output weights N(0, 16): where training
        started in the papers named under `LowRank`.

        Parameters
        ----------
        n_neurons : int
            Number of neurons.
        n_ranks : int
            Number of latents, at most `n_neurons`.
        n_inputs, n_outputs : int
            Number of input channels and of outputs.
        tau : float or array
            Time constant in seconds, one or one for each neuron.
        dt : float
            Step, in seconds.
        nonlinearity : str
            See `LowRank`.
        rng : int or numpy.random.Generator
            Seed, or generator to draw from.

        Returns
        -------
        LowRank

        Raises
        ------
        TensorError
            If a size is not a positive whole number, `n_ranks` exceeds `n_neurons`, or the weights
            do not fit the memory of the machine.

        Examples
        --------
        >>> import popdyn as pdn
        >>> net = pdn.network.LowRank.random(200, n_ranks=2, rng=1)
        >>> net.m.shape
        (200, 2)
        """
        fields = draw(n_neurons, n_ranks, n_inputs, n_outputs, rng)
        return cls(**fields, tau=tau, dt=dt, nonlinearity=nonlinearity)

    def canonical(self) -> LowRank:
        """Return the same network with orthogonal loadings, by singular value decomposition.

        ``m @ n.T`` stays what it is, and with it all that the network does; `m` and `n` alone mean
        little, as ``m @ A`` with ``n @ inv(A).T`` is the same network.  Here the columns of
        `m` are orthogonal and sorted by size, those of `n` orthogonal with a mean square of 1, and
        the largest entry of each column of `m` is positive: unique unless singular values are
        equal.

        Returns
        -------
        LowRank

        Examples
        --------
        >>> import popdyn as pdn
        >>> net = pdn.network.LowRank.random(200, n_ranks=2).canonical()
        >>> (net.n.T @ net.n / 200).round(6).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        m, n = canonical_factors(self.m, self.n)
        return replace(self, m=m, n=n)

    def to_rate(self) -> Rate:
        """Return the network with its full recurrent weights ``m @ n.T / n_neurons``.

        A `Rate` knows no state at the start: give ``initial_state=net.initial`` to
        `popdyn.simulate`.

        Returns
        -------
        Rate
        """
        return Rate(**rate_fields(self))

    @classmethod
    def from_rate(cls, net: Rate, n_ranks: int) -> LowRank:
        """Return the nearest network of a rank, by singular value decomposition.

        What the outputs feed back counts as recurrent weights.  Takes the time of a full
        decomposition, seconds for 1,000 neurons.

        Parameters
        ----------
        net : Rate
            The network.
        n_ranks : int
            Number of singular values kept, at most ``net.n_neurons``.

        Returns
        -------
        LowRank
            In the form of `canonical`.

        Raises
        ------
        TensorError
            If `net` is no `Rate`, or `n_ranks` no whole number between 1 and its neurons.

        Examples
        --------
        >>> import popdyn as pdn
        >>> net = pdn.network.LowRank.random(50, n_ranks=2)
        >>> pdn.network.LowRank.from_rate(net.to_rate(), 2).n_ranks
        2
        """
        return cls(**truncated_fields(net, n_ranks))

    @classmethod
    def from_weights(
        cls,
        weights: Mapping[str, Any],
        *,
        dt: float | None = None,
        tau: Any = None,
        nonlinearity: str | None = None,
        scaling: str = "1/N",
    ) -> LowRank:
        """Make a network from arrays by name, as `popdyn.read_weights` returns them.

        Three sets of names are understood: those of this record, as `popdyn.write_weights`
        stores them; those of LINT's ``LowRankRNN`` (``wi``, ``si``, ``m``, ``n``, ``b``, ``wo``,
        ``so``, ``h0``), which the code of the populations paper shares; and those of that code's
        ``SupportLowRankRNN``, whose loadings are mixtures of a Gaussian basis.  A state dict knows
        no step: by default `tau` and `dt` are those of the papers, 0.1 s and 0.02 s.

        Parameters
        ----------
        weights : mapping of text to array
            Arrays by name.
        dt : float, optional
            Step in seconds.
        tau : float or array, optional
            Time constant in seconds; ``dt / tau`` is what the state dicts' code calls ``alpha``.
        nonlinearity : str, optional
            ``"tanh"`` by default.
        scaling : {"1/N", "1/sqrt(N)"}
            For the names of LINT: whether products of loadings are divided by the number of
            neurons (``LowRankRNN``), or loadings themselves are of the order of ``1/sqrt(N)``
            (``OptimizedLowRankRNN``, of the same names).  The others say it themselves.

        Returns
        -------
        LowRank

        Raises
        ------
        TensorError
            If the names are not understood, shapes do not fit, or the weights are those of a
            network of full rank.

        Warns
        -----
        PopdynWarning
            When arrays are left out, loadings have the size of the other scaling, or a bias
            ``b``, which LINT leaves out where it reads outputs, makes these differ.

        Examples
        --------
        >>> import numpy as np
        >>> from popdyn.network import LowRank
        >>> state = {"m": np.ones((5, 1)), "n": np.ones((5, 1)), "wi": np.ones((2, 5)),
        ...          "si": np.ones(2), "wo": np.ones((5, 1)), "so": np.ones(1), "h0": np.zeros(5)}
        >>> LowRank.from_weights(state).n_inputs
        2
        """
        given = {"dt": dt, "tau": tau, "nonlinearity": nonlinearity}
        said = {name: value for name, value in given.items() if value is not None}
        return cls(**fields_from_weights(weights, said, scaling))

    def to_dataset(self) -> xr.Dataset:
        """Return the network as a Dataset, which `popdyn.save` writes and trees hold.

        Returns
        -------
        xarray.Dataset
            ``m (neuron, latent)``, ``n (neuron, latent)``, ``input (neuron, channel)``,
            ``output (readout, neuron)``, ``bias (neuron)``, ``tau`` (of all neurons or
            ``(neuron)``) and ``dt`` in seconds; where the network has them
            ``output_bias (readout)``, ``gain (neuron)``, ``initial (neuron)`` and
            ``population (neuron)``; the nonlinearity in ``attrs``.
        """
        return stored(self)

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> LowRank:
        """Rebuild a network from what `to_dataset` returned.

        Parameters
        ----------
        dataset : xarray.Dataset
            Variables and attributes as in `to_dataset`.

        Returns
        -------
        LowRank

        Raises
        ------
        TensorError
            If a variable or the nonlinearity is missing.

        Warns
        -----
        PopdynWarning
            If it was fitted with a lag, by which its inputs are to be delayed.
        """
        return cls(**restored(dataset))
