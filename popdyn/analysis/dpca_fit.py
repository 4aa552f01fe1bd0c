"""From averages on a grid, and their trials if any, to demixed components and what they explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.dpca_describe import describe
from popdyn.analysis.dpca_grid import Grid
from popdyn.analysis.dpca_lambda import cross_validate, strengths
from popdyn.analysis.dpca_options import given_strengths, sizes
from popdyn.analysis.dpca_solve import products, solve, solver
from popdyn.analysis.dpca_terms import Marginalization
from popdyn.analysis.dpca_trials import Noise, Trials, make_noise, make_trials
from popdyn.analysis.dpca_variance import of_trials
from popdyn.analysis.statespace_samples import warn_constant
from popdyn.errors import FitError, warn
from popdyn.resample import BOUND
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]
_ONE = {"units": "1"}


@dataclass(frozen=True)
class Settings:
    """What a fit needs to know; the arguments of `popdyn.DPCA`."""

    n_components: int | Mapping[str, int]
    regularization: float | Mapping[str, float] | str
    noise_covariance: str | None
    tried: Sequence[float] | None
    n_folds: int

    @property
    def form(self) -> str | None:
        """Form of the noise covariance; None lets the trials decide."""
        if self.noise_covariance is None and self.regularization != "cv":
            return "none"
        return self.noise_covariance

    @property
    def needs_trials(self) -> bool:
        """Whether averages are not enough."""
        return self.regularization == "cv" or self.form != "none"


def fit_grid(
    settings: Settings, grid: Grid, chosen: Sequence[Marginalization], rng: np.random.Generator
) -> dict[str, Any]:
    """Find the components of averages, and everything that is known about them.

    Parameters
    ----------
    settings : Settings
        What to do.
    grid : Grid
        Averages, and trials if any.
    chosen : sequence of Marginalization
        The marginalizations.
    rng : Generator
        For folds and groups of trials.

    Returns
    -------
    dict
        Variables of the result, as for a Dataset.

    Raises
    ------
    FitError
        If nothing varies, or there are too few trials.
    TensorError
        If arguments make no sense, or trials are needed and there are none.
    """
    known = products(grid.averages, chosen)
    flat = grid.averages.reshape(len(grid.averages), -1)
    mean = flat.mean(axis=1)
    if known.power <= 1e-24 * float((flat**2).sum()):
        message = "no neuron varies over time or conditions: there is nothing to demix"
        raise FitError(message)
    warn_constant(flat - mean[:, None], mean, grid.source["neuron"].to_numpy())
    wanted = sizes(settings.n_components, chosen, grid.averages.shape)
    trials = _trials(settings, grid)
    averages = None if trials is None else trials.averages()
    noise, covariance = None, None
    if trials is not None and averages is not None and settings.form != "none":
        noise = make_noise(trials, settings.form)
        covariance = noise.covariance(trials, averages, None)
    strength, variables = _strengths(
        settings, chosen, wanted, (trials, averages, noise), known.power, rng
    )
    found = solve(solver(known, covariance), strength, wanted)
    units = {"units": str(grid.source.attrs.get("units", "1"))}
    state = (found.decoder @ (flat - mean[:, None])).reshape(len(found.index), grid.n_cells, -1)
    trajectory = np.moveaxis(state, 1, 2)
    variables |= describe(found, known, chosen) | {
        "regularization": ("marginalization", np.array(strength), _ONE),
        "encoder": (("component", "neuron"), found.encoder, _ONE),
        "decoder": (("component", "neuron"), found.decoder, _ONE),
        "mean": ("neuron", mean, units),
        "trajectory": (("component", "time", "condition"), trajectory, units),
    }
    if trials is not None:
        variables |= of_trials(trials, chosen, found, known, rng)
    return variables


def as_result(
    variables: Mapping[str, Any],
    grid: Grid,
    chosen: Sequence[Marginalization],
    parameters: Mapping[str, Any],
    seed: str,
) -> xr.Dataset:
    """Label what was found.

    Returns
    -------
    Dataset
        Method ``"dpca"``.
    """
    number = np.arange(1, len(variables["encoder"][1]) + 1)
    coords = grid.coords() | {
        "neuron": grid.source["neuron"].to_numpy(),
        "component": number,
        "component_2": number,
        "marginalization": np.array([one.name for one in chosen], dtype=np.str_),
    }
    if "signal_ratio_bound" in variables:
        coords["bound"] = BOUND
    columns = ("marginalization_of", "tried")
    coords |= {name: variables[name] for name in columns if name in variables}
    return make_result(
        {name: value for name, value in variables.items() if name not in columns},
        coords=coords,
        method="dpca",
        parameters=parameters,
        source=grid.source,
        seed=seed,
    )


def _trials(settings: Settings, grid: Grid) -> Trials | None:
    """Trials if there are any, and enough of them."""
    if grid.cell is None and not settings.needs_trials:
        return None
    try:
        return make_trials(grid)
    except FitError as error:
        if settings.needs_trials:
            raise
        warn(f"the share of noise and the bounds are left out: {error}")
        return None


def _strengths(
    settings: Settings,
    chosen: Sequence[Marginalization],
    wanted: Sequence[int],
    data: tuple[Trials | None, Array | None, Noise | None],
    power: float,
    rng: np.random.Generator,
) -> tuple[list[float], dict[str, Any]]:
    """Regularization of each marginalization, and what was tried."""
    trials, averages, noise = data
    if settings.regularization != "cv" or trials is None or averages is None:
        return given_strengths(settings.regularization, [one.name for one in chosen]), {}
    noise = make_noise(trials, "none") if noise is None else noise
    tried = strengths(settings.tried, power)
    found = cross_validate(trials, averages, chosen, wanted, noise, tried, settings.n_folds, rng)
    by_part = (("marginalization", "tried"), found.error_of, _ONE)
    return [found.best] * len(chosen), {
        "tried": ("tried", tried, _ONE),
        "cross_validation_error": (("fold", "tried"), found.error, _ONE),
        "cross_validation_error_by_marginalization": by_part,
    }
