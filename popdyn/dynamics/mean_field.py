"""Fixed points of a low-rank network of many neurons, and their stability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import brentq

from popdyn.dynamics.mixture import Mixture
from popdyn.dynamics.reduced_form import (
    as_reduced,
    coefficients_of,
    conditions_of,
    count,
    latent_bounds,
    mixture_of,
    names_of,
)
from popdyn.network.low_rank import LowRank
from popdyn.network.random_arguments import check_sizes
from popdyn.resample import Seed, as_generator
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

# Points on the line of one latent, between which the sign of its velocity may change once.
_ON_LINE = 2001
# What counts as fixed, and as the same point, against the size that latents may have.
_FIXED, _SAME = 1e-9, 1e-4
# When Newton's steps end.
_MOST_STEPS, _SOLVED, _SHORTEST = 100, 1e-13, 1e-6


def mean_field(
    net: LowRank | xr.Dataset, inputs: Any = None, *, n_starts: int = 100, rng: Seed = 0
) -> xr.Dataset:
    """Find the fixed points of the latents under constant inputs, and whether they are stable.

    Solves ``k = <n f(m k + input u + bias)>`` with the mean over neurons whose loadings are, in
    each population, jointly Gaussian with the means and covariances of `reduce`.  A network of N
    neurons differs from that by the order of ``1/sqrt(N)`` if its loadings were drawn so.

    With one latent all changes of the sign of its velocity on a fine grid are refined, which
    misses pairs of fixed points that are closer than a thousandth of the range.  With several, a
    solver starts from 0 and from random points of that range: all that it found are returned,
    which need not be all there are.  A line or a ring of fixed points shows as many of them, each
    with a mode that neither grows nor decays.

    Parameters
    ----------
    net : LowRank or Dataset
        The network, or what `reduce` made of it.
    inputs : mapping of text to array of shape (n_inputs,), or array, optional
        Constant inputs of each condition; 0 by default.
    n_starts : int
        From which the solver starts, with several latents.
    rng : int or numpy.random.Generator
        Seed of these.

    Returns
    -------
    xarray.Dataset
        ``latent (fixed_point, component)``, dimensionless; ``growth_rate (fixed_point, mode)`` in
        1/s, positive where small deviations grow, the largest first, and ``frequency``, in Hz, at
        which they turn; ``stable (fixed_point)``; ``gain (fixed_point, population)``, the
        mean slopes; ``output (fixed_point, readout)``; ``condition (fixed_point)``.

    Raises
    ------
    TensorError
        If `net` is no low-rank network or inputs do not fit it.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> m = np.random.default_rng(0).standard_normal((4000, 1))
    >>> net = pdn.network.LowRank(m, 2 * m, np.zeros((4000, 1)), m.T)
    >>> points = pdn.dynamics.mean_field(net)
    >>> points["stable"].to_numpy().tolist()
    [True, False, True]
    """
    reduced = as_reduced(net)
    check_sizes({"n_starts": n_starts})
    generator, seed = as_generator(rng)
    names, v = conditions_of(inputs, count(reduced, "input"))
    mixture, n_ranks = mixture_of(reduced), count(reduced, "m")
    found: list[tuple[str, Array, Array]] = []
    for name, u in zip(names, v, strict=True):
        points = _fixed_points(reduced, mixture, u, n_starts, generator)
        found += [(name, point, u) for point in points]
    latents = np.array([point for _, point, _ in found]).reshape(-1, n_ranks)
    of_points = np.array([u for *_, u in found]).reshape(-1, v.shape[1])
    at = coefficients_of(reduced, latents, of_points)
    tau = float(reduced.attrs["tau"])
    eigenvalue: Any = np.linalg.eigvals(jacobian(mixture, at, n_ranks) / tau)
    order = np.argsort(-eigenvalue.real, axis=1, kind="stable")
    eigenvalue = np.take_along_axis(eigenvalue, order, axis=1)
    output = mixture.read(at)[:, n_ranks:] + reduced["output_bias"].to_numpy()
    return make_result(
        {
            "latent": (("fixed_point", "component"), latents, {"units": "1"}),
            "growth_rate": (("fixed_point", "mode"), eigenvalue.real, {"units": "1/s"}),
            "frequency": (
                ("fixed_point", "mode"), np.abs(eigenvalue.imag) / (2 * np.pi), {"units": "Hz"},
            ),
            "stable": ("fixed_point", (eigenvalue.real < 0).all(axis=1)),
            "gain": (("fixed_point", "population"), mixture.gain(at), {"units": "1"}),
            "output": (("fixed_point", "readout"), output, {"units": "1"}),
        },
        coords={
            "condition": ("fixed_point", np.array([name for name, *_ in found], dtype=np.str_)),
            "component": names_of(reduced, "m"),
            "population": reduced["population"].to_numpy(),
        },
        method="mean_field",
        parameters={"inputs": dict(zip(names, v.tolist(), strict=True)), "n_starts": n_starts},
        source=reduced,
        seed=seed,
    )  # fmt: skip


def jacobian(mixture: Mixture, at: Array, n_ranks: int) -> Array:
    """Return the change of the latents' velocity with the latents, times tau."""
    return np.asarray(mixture.slopes(at)[..., :n_ranks, :n_ranks] - np.eye(n_ranks))


def _fixed_points(
    reduced: xr.Dataset, mixture: Mixture, u: Array, n_starts: int, generator: np.random.Generator
) -> list[Array]:
    """Return the fixed points of a condition, in order."""
    bounds = latent_bounds(reduced)
    n_ranks = len(bounds)

    def velocity(latents: Array) -> Array:
        return mixture.read(coefficients_of(reduced, latents, u))[..., :n_ranks] - latents

    if n_ranks == 1:
        return _on_line(lambda k: velocity(np.reshape(k, (-1, 1)))[:, 0], float(bounds[0]))

    def slope(latents: Array) -> Array:
        return jacobian(mixture, coefficients_of(reduced, latents, u), n_ranks)

    starts = generator.uniform(-1, 1, (n_starts, n_ranks)) * bounds
    # The first starts from 0, the others from all sizes.
    starts *= np.linspace(0, 1, n_starts)[:, None]
    ends = _newton(velocity, slope, starts, 2 * bounds)
    points: list[Array] = []
    scale = float(bounds.max())
    for end in ends[np.abs(velocity(ends)).max(axis=1) < _FIXED * max(1.0, scale)]:
        if all(np.abs(end - point).max() > _SAME * scale for point in points):
            points.append(end)
    return sorted(points, key=lambda point: tuple(np.round(point / scale, 6)))


def _newton(
    velocity: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    latents: Array,
    bounds: Array,
) -> Array:
    """Return where Newton's steps end from all starts ``(start, latent)`` at once.

    A step that does not lower the speed is halved until one does; none leads beyond the bounds.
    """
    latents, length = latents.copy(), np.ones(len(latents))
    value = velocity(latents)
    for _ in range(_MOST_STEPS):
        going = (np.abs(value).max(axis=1) > _SOLVED) & (length > _SHORTEST)
        if not going.any():
            break
        step = (np.linalg.pinv(slope(latents[going])) @ value[going][..., None])[..., 0]
        tried = np.clip(latents[going] - length[going, None] * step, -bounds, bounds)
        there = velocity(tried)
        lower = np.linalg.norm(there, axis=1) < np.linalg.norm(value[going], axis=1)
        latents[going] = np.where(lower[:, None], tried, latents[going])
        value[going] = np.where(lower[:, None], there, value[going])
        length[going] = np.where(lower, np.minimum(1.0, 2 * length[going]), length[going] / 2)
    return latents


def _on_line(velocity: Callable[[Any], Array], bound: float) -> list[Array]:
    """Return where the velocity of one latent changes its sign."""
    # No grid point at 0, which may be fixed.
    grid = np.linspace(-1.01 * bound, 1.01 * bound, _ON_LINE + 1)
    signs = np.sign(velocity(grid))
    where = np.flatnonzero(signs[1:] != signs[:-1])
    return [
        np.array([brentq(lambda k: velocity(k)[0], grid[i], grid[i + 1], xtol=1e-13)])
        for i in where
    ]
