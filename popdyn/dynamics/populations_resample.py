"""Networks drawn anew from the populations of another: the same overlaps, other neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.kinds import Network
from popdyn.network.low_rank import LowRank
from popdyn.network.random_arguments import check_sizes
from popdyn.resample import Seed, as_generator

Array = NDArray[np.float64]


def resample_network(
    net: LowRank, populations: Any = None, *, n_neurons: int | None = None, rng: Seed = 0
) -> LowRank:
    """Draw a network whose loadings have the second moments of another's, by population.

    Loadings of the neurons of a population are drawn from a Gaussian of mean zero with the second
    moments of that population.  Overlaps are kept on average, all other structure is lost:
    if the new network does the task, these few numbers are what it takes.

    Parameters
    ----------
    net : LowRank
        The network.  Its neurons share gain and time constant.
    populations : Dataset or array, shape (n_neurons,), optional
        From `popdyn.dynamics.populations`, or the name of each neuron's population; by default
        ``net.population``, or one population.
    n_neurons : int, optional
        Neurons of the new network, by default as many.  Overlaps of few neurons scatter.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    LowRank
        With the shares of the populations, which are named in ``population``.

    Raises
    ------
    TensorError
        If `net` is no `LowRank`, its neurons differ in gain or time constant, there is not one
        population for each neuron, or fewer neurons are wanted than there are populations.

    References
    ----------
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> m = rng.standard_normal((2000, 1))
    >>> net = pdn.network.LowRank(m, 1.5 * m, np.zeros((2000, 1)), m.T)
    >>> drawn = pdn.dynamics.resample_network(net, rng=1)
    >>> round(float((drawn.m * drawn.n).mean()), 1)
    1.5
    """
    check_resampled(net)
    names, of_neuron = labels_of(net, populations)
    size = net.n_neurons if n_neurons is None else n_neurons
    check_sizes({"n_neurons": size})
    shares = np.bincount(of_neuron) / net.n_neurons
    counts = _counts(shares, size)
    generator, _ = as_generator(rng)
    cloud = loading_cloud(net)
    drawn = np.empty((size, cloud.shape[1]))
    member = np.repeat(np.arange(len(names)), counts)
    for number in range(len(names)):
        own = cloud[of_neuron == number]
        variance, axes = np.linalg.eigh(own.T @ own / len(own))
        root = axes * np.sqrt(np.maximum(variance, 0.0))
        drawn[member == number] = generator.standard_normal((counts[number], len(root))) @ root.T
    return _network(net, drawn, names[member])


def check_resampled(net: Any) -> None:
    """Refuse a network whose neurons are more than their loadings.

    Raises
    ------
    TensorError
        Saying in what its neurons differ.
    """
    if not isinstance(net, LowRank):
        message = (
            f"populations are of the loadings of a pdn.network.LowRank, found {type(net).__name__}"
            "; of a Rate network pdn.network.LowRank.from_rate(net, n_ranks) makes one"
        )
        raise TensorError(message)
    for name in ("tau", "gain"):
        values = getattr(net, name)
        if values is not None and np.ptp(values) > 0:
            message = (
                f"neurons are drawn by their loadings, and must share {name}; found {name} from "
                f"{np.min(values):g} to {np.max(values):g}"
            )
            raise TensorError(message)


def loading_cloud(net: LowRank) -> Array:
    """Return the loadings of each neuron ``(neuron, loading)``: all that tells neurons apart."""
    columns = [net.m, net.n, net.input, net.output.T, *_constants(net).values()]
    return np.column_stack(columns)


def loading_names(net: LowRank) -> NDArray[np.str_]:
    """Return the names of the columns of `loading_cloud`."""
    several = {"m": net.n_ranks, "n": net.n_ranks, "input": net.n_inputs, "output": net.n_outputs}
    names = [f"{kind} {1 + i}" for kind, number in several.items() for i in range(number)]
    return np.array([*names, *_constants(net)])


def labels_of(net: Network, populations: Any) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
    """Return the names of the populations, and the number of each neuron's.

    Raises
    ------
    TensorError
        If there is not one for each neuron.
    """
    given = net.population if populations is None else populations
    if given is None:
        return np.array(["all"]), np.zeros(net.n_neurons, dtype=np.intp)
    if isinstance(given, xr.Dataset):
        if "label" not in given:
            message = (
                "populations must be a result of pdn.dynamics.populations or one name for each "
                f"neuron, found a Dataset of method {given.attrs.get('method')!r}"
            )
            raise TensorError(message)
        given = given["label"].values
    array = np.asarray(given)
    if array.shape != (net.n_neurons,) or array.dtype.kind not in "iubUO":
        message = (
            f"populations must be one name or whole number for each of the {net.n_neurons} "
            f"neurons, found shape {array.shape} of type {array.dtype}"
        )
        raise TensorError(message)
    names, of_neuron = np.unique(array.astype(np.str_), return_inverse=True)
    if names[0] == "":
        message = (
            f"{np.count_nonzero(of_neuron == 0)} of {net.n_neurons} neurons have no population: "
            "name one for each, those that a test of selectivity left out as well"
        )
        raise TensorError(message)
    return names, of_neuron


def _constants(net: LowRank) -> dict[str, Array]:
    """Return bias and first state, where there are any."""
    given = {"bias": net.bias, "initial": net.initial}
    return {name: values for name, values in given.items() if values is not None and values.any()}


def _counts(shares: Array, size: int) -> NDArray[np.intp]:
    """Return how many neurons each population gets: shares, rounded so that all are there.

    Raises
    ------
    TensorError
        If some get none.
    """
    exact = shares * size
    counts = np.floor(exact).astype(np.intp)
    counts[np.argsort(counts - exact, kind="stable")[: size - counts.sum()]] += 1
    if counts.min() < 1:
        message = (
            f"n_neurons must be enough for the smallest of {len(shares)} populations, which has "
            f"{shares.min():.2g} of the neurons; found {size}"
        )
        raise TensorError(message)
    return counts


def _network(net: LowRank, drawn: Array, population: NDArray[np.str_]) -> LowRank:
    """Return a network with these loadings, and the constants of another."""
    ends = np.cumsum([net.n_ranks, net.n_ranks, net.n_inputs, net.n_outputs])
    m, n, weights, output, rest = np.split(drawn, ends, axis=1)
    constants = dict(zip(_constants(net), rest.T, strict=True))
    gain = None if net.gain is None else np.full(len(drawn), net.gain[0])
    return LowRank(
        m,
        n,
        weights,
        output.T,
        tau=float(np.ravel(net.tau)[0]),
        dt=net.dt,
        nonlinearity=net.nonlinearity,
        output_bias=net.output_bias,
        gain=gain,
        population=population,
        **constants,
    )
