"""From the dimensionless rates of a network to firing rates in Hz."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.simulation.arguments import check_flag, read_array

Array = NDArray[np.float64]
# Hz; some times what the fastest neurons reach, and room for groups of neurons.
HIGHEST_RATE = 10_000.0


@dataclass(frozen=True)
class RateMap:
    """From the dimensionless rate ``r`` of a network to Hz: ``baseline + gain * r``.

    Parameters
    ----------
    baseline : float
        Firing rate where ``r = 0``, in Hz.
    gain : float
        Hz per unit of ``r``.
    rectify : bool
        Whether what comes out negative becomes 0 Hz; otherwise it is an error.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.simulation.rate_map import RateMap
    >>> RateMap(baseline=5.0, gain=20.0, rectify=True)(np.array([-1.0, 0.0, 0.5])).tolist()
    [0.0, 5.0, 15.0]
    """

    baseline: float
    gain: float
    rectify: bool = False

    def __call__(self, rate: Array) -> Array:
        """Return the firing rates in Hz."""
        hertz: Array = self.baseline + self.gain * np.asarray(rate, dtype=np.float64)
        return np.maximum(hertz, 0.0) if self.rectify else hertz


HertzMap = Callable[[Array], Array]
RateMapLike = RateMap | Mapping[str, Any] | HertzMap

# The range of a bounded nonlinearity becomes 0 to 20 Hz; without an upper end, 1 becomes 20 Hz.
_DEFAULT_MAPS = {
    "tanh": RateMap(10.0, 10.0),
    "erf": RateMap(10.0, 10.0),
    "sigmoid": RateMap(0.0, 20.0),
    "relu": RateMap(0.0, 20.0),
    "softplus": RateMap(0.0, 20.0),
}


def read_rate_map(rate_map: Any, rate: xr.DataArray) -> HertzMap | None:
    """Return what turns the rates into Hz, None where they are in Hz.

    Raises
    ------
    TensorError
        If dimensionless rates have no default map, or the map is not understood.
    """
    if isinstance(rate_map, Mapping):
        return _map_from_numbers(rate_map)
    if callable(rate_map):
        given: HertzMap = rate_map
        return given
    if rate_map is not None:
        message = (
            "rate_map must be a mapping with baseline and gain in Hz, or a function from "
            f"rates to Hz, found {rate_map!r}"
        )
        raise TensorError(message)
    if rate.attrs["units"] == "Hz":
        return None
    known = _DEFAULT_MAPS.get(str(rate.attrs.get("nonlinearity", "")))
    if known is None:
        low, high = np.nanmin(rate.to_numpy()), np.nanmax(rate.to_numpy())
        message = (
            f"rates are dimensionless, from {low:.3g} to {high:.3g}, and there is no default way "
            "to Hz for them: give rate_map, for instance {'baseline': 5.0, 'gain': 10.0, "
            "'rectify': True}"
        )
        raise TensorError(message)
    return known


def _map_from_numbers(numbers: Mapping[str, Any]) -> RateMap:
    """Build a RateMap from plain numbers, as a spec holds them."""
    names = [field.name for field in fields(RateMap)]
    for key in numbers:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            message = f"rate_map knows {', '.join(names)}, found {key!r}{guess}"
            raise TensorError(message)
    if not {"baseline", "gain"} <= set(numbers):
        message = f"rate_map needs baseline and gain (Hz), found {dict(numbers)!r}"
        raise TensorError(message)
    values = [numbers["baseline"], numbers["gain"]]
    if not all(isinstance(v, (int, float)) and np.isfinite(v) for v in values):
        message = f"baseline and gain of rate_map must be finite numbers (Hz), found {values!r}"
        raise TensorError(message)
    rectify = numbers.get("rectify", False)
    check_flag("rectify of rate_map", rectify)
    return RateMap(float(values[0]), float(values[1]), bool(rectify))


def in_hertz(rate: xr.DataArray, rate_map: HertzMap | None, observed: NDArray[np.bool_]) -> Array:
    """Return firing rates in Hz, 0 after a trial's end.

    Raises
    ------
    TensorError
        If the map changes the shape, or makes rates NaN, infinite or negative.
    """
    values = rate.to_numpy().astype(np.float64)
    hertz = values
    if rate_map is not None:
        expected = "a function that returns an array of firing rates in Hz, one per rate"
        hertz = read_array("rate_map", rate_map(values), expected)
    if hertz.shape != values.shape:
        message = (
            f"rate_map must return one value per rate, an array of shape {values.shape} (neuron, "
            f"time, trial); found {hertz.shape}"
        )
        raise TensorError(message)
    hertz = np.where(observed, hertz, 0.0)
    n_bad = int((~np.isfinite(hertz)).sum())
    if n_bad:
        message = f"rate_map made {n_bad} of {hertz.size} rates NaN or infinite: change it"
        raise TensorError(message)
    refuse_negative(hertz, " after rate_map")
    _refuse_impossible(hertz)
    return hertz


def _refuse_impossible(hertz: Array) -> None:
    """Refuse rates that no neuron reaches: their spikes would fill the memory."""
    n_high = int(np.count_nonzero(hertz > HIGHEST_RATE))
    if n_high:
        message = (
            f"{n_high} of {hertz.size} firing rates are above {HIGHEST_RATE:,g} Hz, the highest "
            f"{hertz.max():.3g} Hz: no neuron fires so often. rate_map must make spikes per second"
        )
        raise TensorError(message)


def refuse_negative(hertz: NDArray[Any], when: str) -> None:
    """Refuse firing rates below zero.

    Raises
    ------
    TensorError
        If there are any.
    """
    n_negative = int(np.count_nonzero(hertz < 0))
    if n_negative:
        message = (
            f"firing rates cannot be negative: {n_negative} of {hertz.size} are{when}, the lowest "
            f"{np.nanmin(hertz):.3g} Hz. Raise the baseline, or rectify: "
            "rate_map={'baseline': ..., 'gain': ..., 'rectify': True}"
        )
        raise TensorError(message)
