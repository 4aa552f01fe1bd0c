"""When did one neuron fire, trial by trial?  Spike times around an event, sorted by condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.tensor.align import event_times, mask_unobserved
from popdyn.tensor.result import as_json, make_result
from popdyn.tensor.selection import matching, neuron_position
from popdyn.tensor.session import check_session, neuron_spikes, session_neurons
from popdyn.tensor.view import group_conditions


def raster(
    session: xr.Dataset,
    event: str,
    window: Sequence[float],
    neuron: Any,
    by: str | Sequence[str],
    *,
    trials: Any = None,
) -> xr.Dataset:
    """Collect the spikes of one neuron around an event, trials sorted by condition.

    Parameters
    ----------
    session : Session
        Spikes on the session's clock.
    event : str
        Trial column with the event's time.
    window : (float, float)
        Start and stop in s relative to the event; spikes in [start, stop) are listed.
    neuron : int or str
        Id of the neuron.
    by : str or list of str
        Trial columns that define the conditions.
    trials : mapping, mask or list of ids, optional
        Trials to look at, by column values as in `popdyn.select`.

    Returns
    -------
    Dataset
        ``spike_time (spike)``, s relative to the event; ``spike_trial (spike)``, row of the
        spike; ``condition (trial)``, label of each row.  Rows are sorted by condition, then by
        the time of the event.  Trials in which the neuron was not observed throughout the
        window are no rows: an empty row always means silence.

    Raises
    ------
    TensorError
        When there is no such neuron, event or column, or no trial is left.

    Warns
    -----
    PopdynWarning
        When trials lack the event or a condition, or the neuron was not observed in them.

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tensor.session import make_session
    >>> trials = {"go_time": [1.0, 2.0, 3.0], "choice": ["right", "left", "right"]}
    >>> session = make_session([1.25, 2.5, 3.5], [0, 3], trials=trials)
    >>> result = pdn.raster(session, "go_time", (0.0, 1.0), 0, "choice")
    >>> result["spike_time"].values.tolist(), result["condition"].values.tolist()
    ([0.5, 0.25, 0.5], ['left', 'right', 'right'])
    """
    session = check_session(session)
    start, stop = _limits(window)
    position = neuron_position(session, neuron)
    conditions = group_conditions(session, by)
    times = event_times(session, event)
    rows = _rows(session, position, times, conditions.index, (start, stop), trials)
    order = rows[np.lexsort((times[rows], conditions.index[rows]))]
    spikes = neuron_spikes(session, position)
    relative = [_spikes_around(spikes, times[trial], start, stop) for trial in order]
    labels = np.array(conditions.labels, dtype=np.str_)[conditions.index[order]]
    n_spikes = [own.size for own in relative]
    result = make_result(
        {
            "spike_time": ("spike", np.concatenate(relative), {"units": "s"}),
            "spike_trial": ("spike", np.repeat(np.arange(order.size), n_spikes)),
            "condition": ("trial", labels),
        },
        coords={"trial": session["trial"].values[order]},
        method="raster",
        parameters={
            "event": event,
            "window": [start, stop],
            "neuron": neuron,
            "by": by,
            "trials": trials,
        },
        source=session,
    )
    names = [by] if isinstance(by, str) else list(by)
    return result.assign_attrs(
        neuron=str(neuron), by=as_json(names), window_start=start, window_stop=stop, align=event
    )


def _limits(window: Sequence[float]) -> tuple[float, float]:
    """Start and stop of the window in s."""
    values = [float(value) for value in window]
    if len(values) != 2 or not np.isfinite(values).all() or values[0] >= values[1]:
        message = (
            f"window is (start, stop) in s relative to the event, start first; found {window!r}"
        )
        raise TensorError(message)
    return values[0], values[1]


def _rows(
    session: xr.Dataset,
    position: int,
    times: NDArray[np.float64],
    condition: NDArray[np.intp],
    window: tuple[float, float],
    trials: Any,
) -> NDArray[np.intp]:
    """Positions of the trials to draw; those left out are counted in a warning."""
    asked = matching(session, "trial", trials)
    has_event = np.isfinite(times)
    labelled = condition >= 0
    observed = np.zeros(times.size, dtype=bool)
    alone = np.arange(session.sizes["neuron"]) == position
    seen = np.zeros((1, 1, int(has_event.sum())), dtype=np.float32)
    mask_unobserved(seen, session_neurons(session, alone), times[has_event], np.array(window))
    observed[has_event] = np.isfinite(seen[0, 0])
    reasons = {
        "without the event": asked & ~has_event,
        "without a condition": asked & has_event & ~labelled,
        "in which the neuron was not observed": asked & has_event & labelled & ~observed,
    }
    said = ", ".join(f"{int(out.sum())} {why}" for why, out in reasons.items() if out.any())
    rows = np.flatnonzero(asked & has_event & labelled & observed)
    if not rows.size:
        message = f"no trial is left of {int(asked.sum())}: {said}"
        raise TensorError(message)
    if said:
        warn(f"the raster leaves out trials of {int(asked.sum())}: {said}")
    return rows


def _spikes_around(
    spikes: NDArray[np.float64], time: float, start: float, stop: float
) -> NDArray[np.float64]:
    """Spike times relative to an event, in [start, stop)."""
    first, last = np.searchsorted(spikes, [time + start, time + stop])
    return spikes[first:last] - time
