"""The chapter on the mechanism of low-rank networks: how its pictures are drawn, in which order."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.plot.style import style_axes
from popdyn.reporting import circuit_captions as captions
from popdyn.reporting.figure import PAGE_WIDTH
from popdyn.reporting.picture import Chapter, Picture

# Contexts side by side, beyond which panels say nothing more.
_MOST_PANELS = 4
_OF_NEURONS = ("label", "probability", "share", "loading_value", "overlap")


def _draw_flow(result: xr.Dataset, color: str, ax: Axes) -> None:
    """Draw the contexts side by side."""
    del color
    names = [str(one) for one in result["condition"].values][:_MOST_PANELS]
    whole, spec = ax.figure, ax.get_subplotspec()
    if spec is None:
        return
    ax.set_axis_off()
    grid = spec.subgridspec(1, max(len(names), 2))
    paths = result["trajectory"]
    for place, name in enumerate(names):
        panel = style_axes(whole.add_subplot(grid[place]))
        own = np.flatnonzero(result["trajectory_condition"].values.astype(str) == name)
        plot.flow(captions.of_context(result, name), paths.isel(trial=own), ax=panel)
        panel.set_title(name, fontsize=8.0)
        legend = panel.get_legend()
        if legend is not None and place < len(names) - 1:
            legend.remove()


def _draw_circuits(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.effective_couplings(result.isel(condition=slice(_MOST_PANELS)), ax=ax)


def _draw_loadings(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    weights = {
        kind: xr.DataArray(
            result["loading_value"].values[:, _of_kind(result, kind)], dims=("neuron", kind)
        )
        for kind in ("m", "n", "input", "output")
    }
    weights["bias"] = xr.DataArray(np.zeros(result.sizes["neuron"]), dims="neuron")
    populations = result["label"].values
    plot.loadings(xr.Dataset(weights), _telling(result), "n 1", populations=populations, ax=ax)


def _of_kind(result: xr.Dataset, kind: str) -> list[int]:
    names = [str(name) for name in result["loading"].values]
    return [place for place, name in enumerate(names) if name.rpartition(" ")[0] == kind]


def _telling(result: xr.Dataset) -> str:
    """Name the loading of the state whose overlap with n differs most between populations."""
    state = [*_of_kind(result, "m"), *_of_kind(result, "input")]
    overlap = result["overlap"].sel(loading_2="n 1").values[:, state]
    size = np.ptp(overlap, axis=0) if len(overlap) > 1 else np.abs(overlap[0])
    return str(result["loading"].values[state[int(np.argmax(size))]])


def _draw_populations(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.populations(result, ax=ax)


def _draw_inactivate(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.inactivate(result, ax=ax)


def _neurons(result: xr.Dataset) -> xr.Dataset:
    return result[list(_OF_NEURONS)]


def _tests(result: xr.Dataset) -> xr.Dataset:
    return result.drop_vars(list(_OF_NEURONS)).drop_vars(["loading", "loading_2"], errors="ignore")


def _measured(result: xr.Dataset) -> xr.Dataset:
    """Leave out single trials, and columns that say nothing of parts."""
    return result.drop_dims("trial")


CIRCUIT = Chapter(
    "Mechanism of low-rank networks",
    "Which populations does the network need, how do its latents move and drive each other in each "
    "context, and what is lost without a part?",
    (
        Picture(
            "populations",
            "population-loadings",
            "Loadings by population.",
            _draw_loadings,
            captions.population_loadings,
            part=_neurons,
        ),
        Picture(
            "populations",
            "needed-populations",
            "Populations that the task needs.",
            _draw_populations,
            captions.needed_populations,
            same_axis=True,
            part=_tests,
        ),
        Picture(
            "flow",
            "latent-flow",
            "Flow of the latents.",
            _draw_flow,
            captions.latent_flow,
            size=(PAGE_WIDTH, 2.6),
        ),
        Picture(
            "effective_couplings",
            "circuit",
            "Effective circuit.",
            _draw_circuits,
            captions.circuits,
            size=(PAGE_WIDTH, 2.6),
        ),
        Picture(
            "inactivate",
            "inactivations",
            "Inactivations.",
            _draw_inactivate,
            captions.inactivations,
            part=_measured,
        ),
    ),
)
