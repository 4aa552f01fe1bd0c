"""How encoding, demixing, decoded numbers, decoders across time and timescales are drawn."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.plot.encoding import significant_bins
from popdyn.reporting import state_captions as captions
from popdyn.reporting.captions import Results
from popdyn.reporting.picture import Chapter, Picture

# Rows of a table of coefficients: more belong into the netCDF file alone.
_MOST_ROWS = 100_000
_DEMIXED = (
    "encoder",
    "decoder",
    "trajectory",
    "explained_variance_ratio",
    "explained_variance_ratio_bound",
    "cumulative_ratio",
    "pca_cumulative_ratio",
    "ratio_by_marginalization",
    "regularization",
    "marginal_ratio",
    "noise_ratio",
    "signal_ratio",
    "signal_ratio_bound",
    "tested_marginalization",
    "tested_component",
    "chance",
    "accuracy",
    "null_accuracy",
    "p",
    "p_corrected",
)


def _draw_encoding(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.encoding(result, ax=ax)


def _encoding_part(result: xr.Dataset) -> xr.Dataset:
    """Give the share that is drawn, and the coefficients where they are not too many."""
    share = significant_bins(result).mean("neuron")
    if result["coefficient"].size > _MOST_ROWS:
        result = result[["n_trials"]].mean("neuron").drop_vars("n_trials")
    return result.assign(share_of_neurons=share)


def _draw_dpca(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.dpca(result, ax=ax, significance=result if "tested" in result.dims else None)


def _dpca_part(result: xr.Dataset) -> xr.Dataset:
    return result[[name for name in _DEMIXED if name in result]]


def _draw_decode_quantity(result: xr.Dataset, color: str, ax: Axes) -> None:
    plot.decode_quantity(result, ax=ax, color=color)


def _draw_temporal_generalization(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.temporal_generalization(result, ax=ax, limit=result.attrs.get("color_limit"))


def _same_colors(results: Results) -> Results:
    """Give all matrices the same colors: the farthest from chance of any source."""
    far = [float(np.abs(one["accuracy"] - one["chance"]).max()) for one in results.values()]
    return {name: one.assign_attrs(color_limit=max(far)) for name, one in results.items()}


def _draw_timescale(result: xr.Dataset, color: str, ax: Axes) -> None:
    plot.timescale(result, ax=ax, color=color)


def _timescale_part(result: xr.Dataset) -> xr.Dataset:
    return result.drop_vars([str(name) for name in result.data_vars if "two_" in str(name)])


ENCODING = Chapter(
    "What single neurons encode",
    "How many neurons carry each variable of a trial, and when?",
    (
        Picture(
            "encoding",
            "encoding",
            "Encoding over time.",
            _draw_encoding,
            captions.encoding,
            same_axis=True,
            part=_encoding_part,
        ),
    ),
)
DEMIXING = Chapter(
    "Demixed components",
    "Which activity of the population belongs to which variable of a trial?",
    (
        Picture(
            "dpca",
            "demixed-components",
            "Demixed components.",
            _draw_dpca,
            captions.dpca,
            part=_dpca_part,
            size=(8.4, 5.8),
        ),
    ),
)
QUANTITY = Chapter(
    "A number decoded over time",
    "How exactly can a quantity be read from a single trial, and when?",
    (
        Picture(
            "decode_quantity",
            "decode-quantity",
            "Decoded number.",
            _draw_decode_quantity,
            captions.decode_quantity,
            same_axis=True,
        ),
    ),
)
GENERALIZATION = Chapter(
    "Decoders across time",
    "Is what the population says at one moment said in the same way at others?",
    (
        Picture(
            "temporal_generalization",
            "temporal-generalization",
            "Temporal generalization.",
            _draw_temporal_generalization,
            captions.temporal_generalization,
            together=_same_colors,
            size=(3.6, 3.0),
        ),
    ),
)
TIMESCALES = Chapter(
    "Timescales",
    "How long does activity remember itself?",
    (
        Picture(
            "timescale",
            "timescale",
            "Autocorrelation.",
            _draw_timescale,
            captions.timescale,
            part=_timescale_part,
            size=(3.6, 3.0),
        ),
    ),
)
