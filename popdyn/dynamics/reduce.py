"""From a low-rank network to the few numbers that its computation depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.low_rank import LowRank
from popdyn.network.low_rank_factors import state_weights
from popdyn.tensor.result import digest, make_result

Array = NDArray[np.float64]


def reduce(net: LowRank, populations: Any = None) -> xr.Dataset:
    """Reduce a low-rank network to the means and overlaps of its loadings, by population.

    A network of N neurons and rank R follows its latents ``k`` and filtered inputs ``v`` alone
    (``tau dv/dt = -v + u``): its state is ``m k + input v + bias``, and

    ``tau dk/dt = -k + n.T f(m k + input v + bias) / N``.

    If the loadings of each population of many neurons are jointly Gaussian, the sum over neurons
    depends on their means and covariances alone, which are what this returns; all other functions
    of ``pdn.dynamics`` for low-rank networks take it as they take the network.

    Parameters
    ----------
    net : LowRank
        With one time constant for all neurons.
    populations : array, shape (n_neurons,), optional
        Population of each neuron, text or whole numbers; by default ``net.population``, or one
        population for all.

    Returns
    -------
    xarray.Dataset
        ``share (population)`` of the neurons; ``n_neurons (population)``;
        ``mean (population, loading)``; ``covariance (population, loading, loading_2)``, the
        overlaps of each population about its means; ``overlap (loading, loading_2)``, the mean
        over all neurons of products of loadings.  ``kind (loading)`` says which are ``"m"``,
        ``"input"``, ``"bias"`` and ``"initial"``, what the first state has beside these (all of
        them times the gain of the neurons, if the network has one), and which ``"n"`` and
        ``"output"``; ``square_gain (population)``, the mean square gain; ``output_bias (output)``.
        All dimensionless.

    Raises
    ------
    TensorError
        If `net` is no `LowRank`, its neurons have time constants of their own, or there is not
        one population for each neuron.

    See Also
    --------
    effective_couplings, mean_field, flow, simulate_reduced

    References
    ----------
    Beiran, Dubreuil, Valente, Mastrogiuseppe & Ostojic (2021), Neural Computation 33:1572.
    Dubreuil et al. (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> m = rng.standard_normal((2000, 1))
    >>> net = pdn.network.LowRank(m, 1.5 * m, np.zeros((2000, 1)), m.T)
    >>> reduced = pdn.dynamics.reduce(net)
    >>> round(float(reduced["overlap"].sel(loading="n 1", loading_2="m 1")), 1)
    1.5
    """
    _check_network(net)
    populations_found, member = _membership(net, populations)
    loadings = loadings_of(net)
    kinds = [kind for kind, columns in loadings.items() for _ in columns.T]
    names = _names(loadings)
    both = np.column_stack(list(loadings.values()))
    mean = np.array([both[part].mean(axis=0) for part in member])
    about = [both[part] - center for part, center in zip(member, mean, strict=True)]
    moments = np.array([each.T @ each / len(each) for each in about])
    square_gain = np.ones(net.n_neurons) if net.gain is None else net.gain**2
    result = make_result(
        {
            "share": ("population", member.mean(axis=1), {"units": "1"}),
            "n_neurons": ("population", member.sum(axis=1)),
            "mean": (("population", "loading"), mean, {"units": "1"}),
            "covariance": (("population", "loading", "loading_2"), moments, {"units": "1"}),
            "overlap": (("loading", "loading_2"), both.T @ both / net.n_neurons, {"units": "1"}),
            "square_gain": ("population", (member @ square_gain) / member.sum(axis=1)),
            "output_bias": ("output", _output_bias(net), {"units": "1"}),
        },
        coords={
            "population": populations_found,
            "loading": names,
            "loading_2": names,
            "kind": ("loading", kinds),
        },
        method="reduce",
        parameters={"populations": None if populations is None else "given"},
    )
    said = {"nonlinearity": net.nonlinearity, "tau": float(net.tau), "dt": net.dt}
    return result.assign_attrs(**said, input_digest=digest(net.to_dataset()))


def _check_network(net: Any) -> None:
    """Refuse what has no latents that follow equations of their own."""
    if not isinstance(net, LowRank):
        message = (
            f"expected a pdn.network.LowRank, found {type(net).__name__}; of a Rate network "
            "pdn.network.LowRank.from_rate(net, n_ranks) makes one"
        )
        raise TensorError(message)
    if np.ndim(net.tau):
        message = (
            f"the latents of a network follow equations of their own if all neurons share one time "
            f"constant; found tau from {np.min(net.tau):g} to {np.max(net.tau):g} s"
        )
        raise TensorError(message)


def _membership(net: LowRank, populations: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the names of the populations, and who is in which ``(population, neuron)``."""
    given = net.population if populations is None else np.asarray(populations)
    if given is None:
        return np.array(["all"]), np.ones((1, net.n_neurons), dtype=bool)
    if given.shape != (net.n_neurons,) or given.dtype.kind not in "iubUO":
        message = (
            f"populations must be one name or whole number for each of the {net.n_neurons} "
            f"neurons, found shape {given.shape} of type {given.dtype}"
        )
        raise TensorError(message)
    given = given.astype(str) if given.dtype.kind == "O" else given
    names, of_neuron = np.unique(given, return_inverse=True)
    return names, of_neuron == np.arange(len(names))[:, None]


def loadings_of(net: LowRank) -> dict[str, Array]:
    """Return the loadings by kind ``(neuron, number)``: first those that make the state.

    Those are times the gain.  The last of them is the part of the first state that lies outside
    of the span of the others.
    """
    gain = np.ones(net.n_neurons) if net.gain is None else net.gain
    columns = {"m": net.m, "input": net.input, "bias": net.bias[:, None]}
    if net.initial is not None:
        span = np.column_stack(list(columns.values()))
        columns["initial"] = (net.initial - span @ first_coefficients(net))[:, None]
    scaled = {kind: column * gain[:, None] for kind, column in columns.items()}
    return {**scaled, "n": net.n, "output": net.output.T}


def first_coefficients(net: LowRank) -> Array:
    """Return latents, filtered inputs and share of the bias of the first state."""
    if net.initial is None:
        return np.zeros(net.n_ranks + net.n_inputs + 1)
    first: Array = state_weights(net) @ net.initial
    return first


def _names(loadings: Mapping[str, Array]) -> NDArray[np.str_]:
    """Return the name of each loading."""
    single = ("bias", "initial")
    return np.array([
        kind if kind in single else f"{kind} {1 + number}"
        for kind, columns in loadings.items() for number in range(columns.shape[1])
    ])  # fmt: skip


def _output_bias(net: LowRank) -> Array:
    """Return the constant part of the outputs."""
    return np.zeros(net.n_outputs) if net.output_bias is None else net.output_bias.copy()
