"""A rate network: the weights and constants of ``tau dx/dt = -x + J f(x) + B u + b``.

The record holds numbers and checks their shapes; ``popdyn.simulate`` runs it and
``popdyn.train`` replaces its weights.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError

NONLINEARITIES = ("tanh", "relu", "softplus", "sigmoid", "linear")

# Dimensions of each array in the netCDF form; a variable may not share a name with its dim.
_DIMS = {
    "recurrent": ("neuron", "presynaptic"),
    "input": ("neuron", "channel"),
    "output": ("readout", "neuron"),
    "bias": ("neuron",),
}


@dataclass(frozen=True, eq=False)
class Rate:
    """Weights and constants of a rate network.

    The state ``x (neuron,)`` follows ``tau dx/dt = -x + recurrent @ f(x) + input @ u + bias``,
    the rates are ``f(x)`` and the output is ``output @ f(x)``, with ``f`` the nonlinearity.
    Noise is no part of the network: it is an argument of `popdyn.simulate`.

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
    bias : array, shape (n_neurons,)
        Constant input to each neuron, dimensionless.
    tau : float
        Time constant of the neurons, in seconds.
    dt : float
        Step of the simulation, in seconds, at most `tau`.
    nonlinearity : {"tanh", "relu", "softplus", "sigmoid", "linear"}
        From state to rate, both dimensionless.

    Raises
    ------
    TensorError
        If shapes disagree, a number is not finite, `tau` or `dt` is not positive, `dt` is
        longer than `tau`, or the nonlinearity is not known.

    See Also
    --------
    Rate.random : a network with random weights.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.network import Rate
    >>> net = Rate(np.zeros((3, 3)), np.ones((3, 1)), np.ones((1, 3)), np.zeros(3),
    ...            tau=0.1, dt=0.01)
    >>> net
    Rate(n_neurons=3, n_inputs=1, n_outputs=1, tau=0.1 s, dt=0.01 s, nonlinearity='tanh')
    """

    recurrent: np.ndarray
    input: np.ndarray
    output: np.ndarray
    bias: np.ndarray
    tau: float = 0.1
    dt: float = 0.01
    nonlinearity: str = "tanh"

    def __post_init__(self) -> None:
        for name in _DIMS:
            object.__setattr__(self, name, _frozen_array(name, getattr(self, name)))
        for name in ("tau", "dt"):
            object.__setattr__(self, name, _seconds(name, getattr(self, name)))
        _check_shapes(self)
        if self.dt > self.tau * (1 + 1e-9):
            message = (
                f"dt must not be longer than tau, found dt={self.dt:g} s and tau={self.tau:g} s: "
                "Euler steps would overshoot. Use a smaller dt"
            )
            raise TensorError(message)
        _check_nonlinearity(self.nonlinearity)

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
        return (
            f"Rate(n_neurons={self.n_neurons}, n_inputs={self.n_inputs}, "
            f"n_outputs={self.n_outputs}, tau={self.tau:g} s, dt={self.dt:g} s, "
            f"nonlinearity={self.nonlinearity!r})"
        )

    @classmethod
    def random(
        cls,
        n_neurons: int,
        *,
        g: float = 1.5,
        n_inputs: int = 1,
        n_outputs: int = 1,
        tau: float = 0.1,
        dt: float = 0.01,
        density: float = 1.0,
        nonlinearity: str = "tanh",
        rng: int | np.random.Generator = 0,
    ) -> Rate:
        """Draw a network with independent Gaussian weights.

        Recurrent weights are N(0, g²/(density·n_neurons)), each present with probability
        `density`, so that the spectral radius is close to `g` whatever the size and density;
        input weights are N(0, 1), so that an input of 1 moves a neuron's state by about 1;
        output weights are N(0, 1/n_neurons), so that outputs are of the order of the rates;
        the bias is zero.

        Parameters
        ----------
        n_neurons : int
            Number of neurons.
        g : float
            Gain of the recurrent weights, dimensionless: below 1 a tanh network without input
            falls silent, above 1 a large one is chaotic.
        n_inputs, n_outputs : int
            Number of input channels and of outputs.
        tau, dt : float
            Time constant and step, in seconds.
        density : float
            Share of the recurrent weights that are not zero, in (0, 1].
        nonlinearity : str
            See `Rate`.
        rng : int or numpy.random.Generator
            Seed, or generator to draw from.

        Returns
        -------
        Rate

        Raises
        ------
        TensorError
            If a size is not a positive whole number, `g` is negative or `density` outside (0, 1].

        Examples
        --------
        >>> import popdyn as pdn
        >>> net = pdn.network.Rate.random(100, g=0.9, rng=1)
        >>> round(float(net.recurrent.std() * 100**0.5), 1)
        0.9
        """
        sizes = {"n_neurons": n_neurons, "n_inputs": n_inputs, "n_outputs": n_outputs}
        for name, size in sizes.items():
            if not isinstance(size, (int, np.integer)) or size < 1:
                message = f"{name} must be a whole number of at least 1, found {size!r}"
                raise TensorError(message)
        if not (np.isfinite(g) and g >= 0 and 0 < density <= 1):
            message = f"expected g >= 0 and 0 < density <= 1, found g={g!r}, density={density!r}"
            raise TensorError(message)
        given: object = rng
        if not isinstance(given, (int, np.integer, np.random.Generator)):
            message = f"rng must be an integer or a numpy.random.Generator, found {rng!r}"
            raise TensorError(message)
        generator = np.random.default_rng(rng)
        recurrent = generator.normal(0.0, g / np.sqrt(density * n_neurons), (n_neurons, n_neurons))
        if density < 1:
            recurrent *= generator.random(recurrent.shape) < density
        return cls(
            recurrent=recurrent,
            input=generator.standard_normal((n_neurons, n_inputs)),
            output=generator.normal(0.0, 1 / np.sqrt(n_neurons), (n_outputs, n_neurons)),
            bias=np.zeros(n_neurons),
            tau=tau,
            dt=dt,
            nonlinearity=nonlinearity,
        )

    def to_dataset(self) -> xr.Dataset:
        """Return the network as a Dataset, which `popdyn.save` writes and trees hold.

        Returns
        -------
        xarray.Dataset
            ``recurrent (neuron, presynaptic)``, ``input (neuron, channel)``,
            ``output (readout, neuron)``, ``bias (neuron)``, ``tau`` and ``dt`` in seconds;
            the nonlinearity in ``attrs``.
        """
        variables: dict[str, Any] = {
            name: (dims, getattr(self, name).copy(), {"units": "1"}) for name, dims in _DIMS.items()
        }
        variables |= {name: ((), getattr(self, name), {"units": "s"}) for name in ("tau", "dt")}
        attrs = {"popdyn_class": "network.rate:Rate", "nonlinearity": self.nonlinearity}
        return xr.Dataset(variables, attrs=attrs)

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> Rate:
        """Rebuild a network from what `to_dataset` returned.

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
        wanted = [field.name for field in fields(cls) if field.name != "nonlinearity"]
        missing = [name for name in wanted if name not in dataset.data_vars]
        if missing or "nonlinearity" not in dataset.attrs:
            missing += [] if "nonlinearity" in dataset.attrs else ["attrs['nonlinearity']"]
            message = (
                f"expected a saved rate network, but {', '.join(missing)} is missing; "
                f"found the variables {', '.join(map(str, dataset.data_vars)) or '(none)'}"
            )
            raise TensorError(message)
        values: dict[str, Any] = {name: dataset[name].to_numpy() for name in wanted}
        return cls(**values, nonlinearity=str(dataset.attrs["nonlinearity"]))


def _frozen_array(name: str, values: Any) -> np.ndarray:
    """Return a read-only float64 copy with the right number of dims and finite numbers."""
    try:
        array = np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        message = f"{name} weights must be an array of numbers: {error}"
        raise TensorError(message) from None
    n_dims = len(_DIMS[name])
    if array.ndim != n_dims or 0 in array.shape:
        message = (
            f"{name} must have {n_dims} dimension{'s' * (n_dims > 1)} {_DIMS[name]}, none empty; "
            f"found shape {array.shape}"
        )
        raise TensorError(message)
    n_bad = int(np.count_nonzero(~np.isfinite(array)))
    if n_bad:
        message = f"{name} must be finite, found {n_bad} of {array.size} values NaN or infinite"
        raise TensorError(message)
    array.setflags(write=False)
    return array


def _seconds(name: str, value: Any) -> float:
    """Return a positive duration as a float."""
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "fiu" or not np.isfinite(number) or number <= 0:
        message = f"{name} must be one positive number of seconds, found {value!r}"
        raise TensorError(message)
    return float(number)


def _check_shapes(net: Rate) -> None:
    """Refuse weights that do not fit the recurrent matrix."""
    rows, columns = net.recurrent.shape
    if rows != columns:
        message = (
            f"recurrent must be square (n_neurons, n_neurons), found shape {net.recurrent.shape}"
        )
        raise TensorError(message)
    expected = {
        "input": f"({rows}, n_inputs)",
        "output": f"(n_outputs, {rows})",
        "bias": f"({rows},)",
    }
    for name, shape in expected.items():
        array: np.ndarray = getattr(net, name)
        if array.shape[_DIMS[name].index("neuron")] != rows:
            hint = "; transpose it?" if array.ndim == 2 and rows in array.shape else ""
            message = (
                f"{name} must have shape {shape} to fit recurrent weights of {rows} neurons, "
                f"found {array.shape}{hint}"
            )
            raise TensorError(message)


def _check_nonlinearity(name: str) -> None:
    """Refuse a nonlinearity that is not known, naming the nearest."""
    if name in NONLINEARITIES:
        return
    near = difflib.get_close_matches(str(name), NONLINEARITIES, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    message = f"nonlinearity must be one of {', '.join(NONLINEARITIES)}, found {name!r}{guess}"
    raise TensorError(message)
