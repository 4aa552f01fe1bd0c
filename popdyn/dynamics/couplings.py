"""The effective circuit of a low-rank network: who drives which latent, in which condition."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.dynamics.reduced_form import (
    as_reduced,
    coefficients_of,
    conditions_of,
    count,
    mixture_of,
    names_of,
)
from popdyn.errors import TensorError
from popdyn.network.low_rank import LowRank
from popdyn.network.real_numbers import real_array
from popdyn.tensor.result import make_result

_SOURCES = ("m", "input", "bias")


def effective_couplings(
    net: LowRank | xr.Dataset, inputs: Any = None, latents: Any = None
) -> xr.Dataset:
    """Return the couplings of the effective circuit in some conditions.

    Each population weighs with the mean slope of the nonlinearity of its neurons: the latents
    follow ``tau dk/dt = -k + coupling @ (k, filtered inputs, bias) + offset``, the coupling of a
    latent to a source being the sum over populations of share times overlap times mean slope.  An
    input that takes a population to where its neurons saturate switches its overlaps off.

    Parameters
    ----------
    net : LowRank or Dataset
        The network, or what `reduce` made of it.
    inputs : mapping of text to array of shape (n_inputs,), or array, optional
        Filtered inputs of each condition, such as the two contexts; 0 by default.
    latents : array, shape (n_ranks,) or (condition, n_ranks), optional
        State at which the slopes are taken; 0 by default.

    Returns
    -------
    xarray.Dataset
        ``coupling (condition, latent, source)``, whose sources are latents, inputs and the bias;
        ``output_coupling (condition, output, source)``, likewise of the outputs;
        ``gain (condition, population)``, the mean slopes; ``offset (condition, latent)``, what
        non-zero means of `n` add.  All dimensionless.

    Raises
    ------
    TensorError
        If inputs or latents do not fit the network.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(1000, n_inputs=2)
    >>> circuit = pdn.dynamics.effective_couplings(net, {"off": [0, 0], "on": [0, 3]})
    >>> gain = circuit["gain"].sel(population="all")
    >>> bool(gain.sel(condition="on") < gain.sel(condition="off"))
    True
    """
    reduced = as_reduced(net)
    mixture, n_ranks = mixture_of(reduced), count(reduced, "m")
    names, v = conditions_of(inputs, count(reduced, "input"))
    k = np.zeros(n_ranks) if latents is None else real_array("latents", latents)
    if k.shape not in ((n_ranks,), (len(names), n_ranks)):
        message = (
            f"latents must have shape ({n_ranks},) or ({len(names)}, {n_ranks}) (condition, "
            f"latent), found {k.shape}"
        )
        raise TensorError(message)
    k = np.broadcast_to(k, (len(names), n_ranks))
    at = coefficients_of(reduced, k, v)
    coupling = mixture.couplings(at)
    offset = mixture.read(at) - np.einsum("krc,kc->kr", coupling, at)
    source = names_of(reduced, *_SOURCES)
    by_source, units = coupling[..., : len(source)], {"units": "1"}
    dims = ("condition", "latent", "source")
    return make_result(
        {
            "coupling": (dims, by_source[:, :n_ranks], units),
            "output_coupling": (("condition", "output", "source"), by_source[:, n_ranks:], units),
            "gain": (("condition", "population"), mixture.gain(at), units),
            "offset": (("condition", "latent"), offset[:, :n_ranks], units),
        },
        coords={
            "condition": names,
            "latent": names_of(reduced, "m"),
            "output": names_of(reduced, "output"),
            "source": source,
            "population": reduced["population"].to_numpy(),
        },
        method="effective_couplings",
        parameters={"inputs": dict(zip(names, v.tolist(), strict=True)), "latents": k},
        source=reduced,
    )
