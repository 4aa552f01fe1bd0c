"""From neo's Blocks and Segments to a Session.

Nothing here imports neo or quantities: objects are known by their attributes (``segments``,
``spiketrains``, ``t_start``, ``t_stop``, ``times``, ``durations``), quantities convert themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.io.bridges.foreign import Intervals, Parts, assemble, named, plain_table
from popdyn.io.bridges.neo_objects import Train, add_units, columns_of_rows, in_hertz, text_of
from popdyn.io.bridges.neo_segments import (
    Stretch,
    match_neurons,
    on_one_clock,
    read_stretches,
    role_of,
    segments_of,
)  # fmt: skip
from popdyn.io.bridges.neo_tables import (
    event_kinds,
    events_of_trials,
    signals,
    trials_of_epochs,
    trials_of_segments,
)  # fmt: skip
from popdyn.io.tables import Table
from popdyn.tensor.behavior import Series, add_behavior


def from_neo(
    block_or_segment: Any,
    trials: Any = None,
    *,
    segments: str | None = None,
    match: str = "auto",
    behavior: Sequence[str] = (),
    observed: str = "auto",
    sampling_rate: Any = None,
    clocks: Mapping[str, str] | None = None,
    column_attrs: Mapping[str, Mapping[str, Any]] | None = None,
    source_id: str | None = None,
) -> xr.Dataset:
    """Make a Session from a neo Block or Segment.

    Times are converted to seconds by their own quantities.  neo itself is not needed.

    Parameters
    ----------
    block_or_segment : neo.Block or neo.Segment
    trials : str, Epoch or pandas.DataFrame, optional
        Name of the Epoch whose rows are the trials, an Epoch, or a table with ``start`` and
        ``end`` (s).  By default an Epoch named ``trials``, where there is one.
    segments : {"trials", "parts"}, optional
        What the segments of a Block are; needed where there are several.  ``"trials"``: each is
        a trial; where their clocks start anew they are laid one after another, and
        ``zero_time`` is where each one's own clock is at zero.  ``"parts"``: stretches of one
        recording on one clock.
    match : str
        What tells that trains of different segments are the same neuron: ``"name"``,
        ``"position"``, or an annotation such as ``"unit_id"``; its values become the neurons'
        ids.  ``"auto"``: the name where each train has its own, else the position.
    behavior : sequence of str
        Names of signals to take as behavior series (others can be raw recordings, and large).
    observed : {"auto", "session"}
        When neurons count as observed: between ``t_start`` and ``t_stop`` of their trains, or all
        the time.
    sampling_rate : float or quantity, optional
        Samples per second (Hz), where spike times are numbers of samples without a dimension.
    clocks, column_attrs
        As for `popdyn.from_pynapple`.
    source_id : str, optional
        Name of the source; by default the Block's name, else ``"neo"``.

    Returns
    -------
    xarray.Dataset
        A Session.  Annotations become neuron columns.  A kind of Event that comes at most once
        in each trial and never outside becomes the column ``<name>_time``, any other a
        behavior series of events.

    Raises
    ------
    TensorError
        For other objects, several segments of which nobody said what they are, parts that
        overlap, times without units, trains that cannot be told apart, epochs of negative
        duration.

    Warns
    -----
    PopdynWarning
        For what is left behind: waveforms, annotations per spike, signals and epochs not asked
        for.

    Examples
    --------
    >>> from_neo([1.0, 2.0])
    Traceback (most recent call last):
        ...
    popdyn.errors.TensorError: expected a neo Block (segments) or Segment (spiketrains); ...
    """
    if observed not in ("auto", "session"):
        message = f"observed must be 'auto' or 'session'; got {observed!r}."
        raise TensorError(message)
    found = segments_of(block_or_segment)
    role = role_of(segments, len(found))
    problems: list[str] = []
    rate = None if sampling_rate is None else _rate(sampling_rate)
    stretches = on_one_clock(read_stretches(found, rate), role, problems)
    ids, trains = match_neurons(stretches, match, problems)
    _warn_left_behind(found)
    about = dict(column_attrs or {})
    table, series = _trials(trials, stretches, role, about)
    parts = Parts(
        trains=[_joined(each, stretches) for each in trains],
        neurons=_neuron_table(ids, trains, match, about),
        trials=table,
        observed=None if observed == "session" else _observed(trains, stretches),
        attrs={"source": "recording", "source_id": _source_id(block_or_segment, source_id)},
        problems=problems,
        clocks=clocks or {},
        column_attrs=about,
    )
    session = assemble(parts, "from_neo", segments=role, match=match, observed=observed)
    return add_behavior(session, [*series, *signals(behavior, stretches)])


def _rate(sampling_rate: Any) -> float:
    rate = 1.0 if in_hertz(sampling_rate) is None else in_hertz(sampling_rate)
    if rate is None or not np.isfinite(rate) or rate <= 0:
        message = f"sampling_rate must be a number of samples per second, got {sampling_rate!r}."
        raise TensorError(message)
    return rate


def _trials(
    trials: Any, stretches: list[Stretch], role: str, about: Mapping[str, Mapping[str, Any]]
) -> tuple[Table | None, list[Series]]:
    """Return the trial table, and events that are no columns of it."""
    if role == "trials":
        if trials is not None:
            message = "each segment is a trial (segments='trials'): leave trials out."
            raise TensorError(message)
        return trials_of_segments(stretches, any(one.offset for one in stretches), about)
    table = trials_of_epochs(trials, stretches, about)
    columns, series = events_of_trials(event_kinds(stretches, "events"), table)
    if table is not None and columns:
        more = plain_table("trial", table.ids, columns, about)
        table = replace(table, columns=(*table.columns, *more.columns))
    return table, series


def _joined(trains: list[Train | None], stretches: list[Stretch]) -> np.ndarray:
    """Spike times of one neuron over all segments, on the session's clock."""
    pieces = zip(trains, stretches, strict=True)
    return np.concatenate([t.times + s.offset if s.offset else t.times for t, s in pieces if t])


def _observed(trains: list[list[Train | None]], stretches: list[Stretch]) -> Intervals:
    start, stop, owner = [], [], []
    for neuron, each in enumerate(trains):
        for train, stretch in zip(each, stretches, strict=True):
            if train is not None:
                start.append(train.start + stretch.offset)
                stop.append(train.stop + stretch.offset)
                owner.append(neuron)
    return np.array(start), np.array(stop), np.array(owner, dtype=np.int64)


def _neuron_table(
    ids: np.ndarray,
    trains: list[list[Train | None]],
    match: str,
    about: Mapping[str, Mapping[str, Any]],
) -> Table:
    """Annotations of each neuron; where segments differ, the first holds, and it is said."""
    rows, differing = [], set()
    units: dict[str, dict[str, Any]] = {}
    for each in trains:
        row: dict[str, Any] = {}
        for train in each:
            if train is None:
                continue
            said = {"name": train.name} if train.name else {}
            for key, value in {**said, **train.annotations}.items():
                if key in row and row[key] != value:
                    differing.add(key)
                row.setdefault(key, value)
            add_units(units, train.units)
        rows.append(row)
    if differing:
        warn(
            f"annotations differ between the segments of a neuron: {named(sorted(differing))}; "
            "those of its first segment were kept."
        )
    columns = columns_of_rows(rows)
    if "name" in columns and columns["name"].tolist() == ids.tolist():
        columns.pop("name")
    columns.pop(match, None)
    return plain_table("neuron", ids, columns, {**units, **about})


def _warn_left_behind(segments: list[Any]) -> None:
    """Say what of the trains a Session does not hold."""
    trains = [train for segment in segments for train in segment.spiketrains]
    n_waveforms = sum(getattr(train, "waveforms", None) is not None for train in trains)
    per_spike = {str(k) for t in trains for k in dict(getattr(t, "array_annotations", None) or {})}
    left = [f"waveforms of {n_waveforms} spike trains"] if n_waveforms else []
    left += [f"annotations per spike ({named(sorted(per_spike))})"] if per_spike else []
    if left:
        warn(f"left behind, a Session has no place for them: {'; '.join(left)}.")


def _source_id(item: Any, given: str | None) -> str:
    name = given or text_of(item, "name") or "neo"
    return name.replace("/", "_")
