"""NWB in: what a file holds, its session, and its spikes cut into trials.

>>> import popdyn as pdn
>>> session = pdn.read_session("data/mouse_alm_delay_anm369963.nwb")
>>> session.sizes["trial"]
178
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import xarray as xr

from popdyn.errors import SourceError, warn
from popdyn.io.behavior.reading import read_series
from popdyn.io.corrections import Corrections, changed_columns, check_corrections, correct
from popdyn.io.coverage import Coverage, find_coverage, gap_problems, session_span, warn_partial
from popdyn.io.describe import find_problems, summarize
from popdyn.io.neurons import Neurons
from popdyn.io.recording import Recording, read_recording
from popdyn.io.summary import FileSummary
from popdyn.io.tables import Table
from popdyn.io.times import column_units
from popdyn.io.wanted import wanted_neurons, wanted_table
from popdyn.io.writing.restore import restore_attributes
from popdyn.tensor.align import align as align_session
from popdyn.tensor.behavior import Series, add_behavior
from popdyn.tensor.result import add_history
from popdyn.tensor.session import own_session


def describe_nwb(
    path: str | os.PathLike[str], *, cache_folder: str | os.PathLike[str] | None = None
) -> FileSummary:
    """Say what an NWB file holds and what looks wrong in it.

    Parameters
    ----------
    path : str or path-like
        An NWB file (HDF5, schema 1 or 2; Zarr with the extra ``zarr``), or an http(s) address.
    cache_folder : path-like, optional
        Folder in which what is fetched from an address is kept for the next time.

    Returns
    -------
    FileSummary
        Frozen record; ``str()`` and the notebook show neurons, spikes, every interval table
        with columns, types, units, missing values, clocks and events to align to, a list of
        what looks wrong, and a call that reads the file.  ``.to_dataset()`` for programs.

    Raises
    ------
    SourceError
        If the file cannot be read; one line that says why and what to do.

    Examples
    --------
    >>> summary = describe_nwb("data/human_mtl_boundaries_sub-4_ses-4.nwb")
    >>> [table.name for table in summary.tables]
    ['encoding_table', 'recognition_table', 'timediscrimination_table']
    >>> summary.problems[1]
    'there is no table named trials; choose one by name: encoding_table, recognition_table, ...'
    """
    return summarize(read_recording(path, cache_folder=cache_folder))


class Reading(TypedDict, total=False):
    """Further arguments of `read_session`, for functions that pass them on."""

    clocks: Mapping[str, str] | None
    units: Mapping[str, str | float] | None
    shift: Mapping[str, float] | None
    restart_offset: float | None
    overlaps: str
    observed: str
    neuron_table: str | None
    source_id: str | None
    cache_folder: str | os.PathLike[str] | None


def read_session(
    path: str | os.PathLike[str],
    trials: str | None = "trials",
    *,
    clocks: Mapping[str, str] | None = None,
    units: Mapping[str, str | float] | None = None,
    shift: Mapping[str, float] | None = None,
    restart_offset: float | None = None,
    overlaps: str = "keep",
    observed: str = "auto",
    neuron_table: str | None = None,
    behavior: str | Sequence[str] = (),
    source_id: str | None = None,
    cache_folder: str | os.PathLike[str] | None = None,
) -> xr.Dataset:
    """Read the spikes, neurons and trials of an NWB file, unbinned.

    Nothing is converted, moved or left out unless an argument asks for it; what looks wrong is
    said.  Spike times and each column are read in one go.

    Parameters
    ----------
    path : str or path-like
        An NWB file (HDF5, schema 1 or 2; Zarr with the extra ``zarr``), or an http(s) address.
    trials : str, optional
        Name of the interval table whose rows are the trials; None for a session without.
    clocks : mapping, optional
        ``{"column": "session" | "trial"}``: the clock of a time column (seconds since the
        session's start, or since the trial's), where the values mislead.
        ``{"spike_times": "trial"}`` where spikes are counted from each trial's start.
    units : mapping, optional
        ``{"spike_times": "ms"}``: the unit of spike times, ``"obs_intervals"``, ``"trials"``
        (every column of times) or one column, where it is not seconds: ``s``, ``ms``, ``us``,
        ``min``, ``h``, or the seconds one step lasts (``1/30000`` for samples).  Times are
        converted to seconds; a column of anything else only gets the unit's name.
    shift : mapping, optional
        ``{"trials": 12.5}``: seconds to add to ``"trials"`` (times on the session's clock) or
        ``"spike_times"`` (with the observation intervals).
    restart_offset : float, optional
        Seconds to add to all spikes and trials after the clock went back to its start.
    overlaps : {"keep", "drop", "cut"}
        Trials that begin before an earlier one has ended: keep them, leave them out, or end the
        earlier one where the next begins.
    observed : {"auto", "session", "spikes"}
        When neurons count as observed.  ``"auto"``: the file's ``obs_intervals``; without them
        from the first to the last spike or trial of the session, except for neurons that are
        silent at its start or end for more than a tenth of it where their rate asks for at
        least 100 spikes, and for longer than five of their longest pauses: these from their
        first to their last spike, with a warning.
        ``"session"``: all neurons, all the time.  ``"spikes"``: first to last spike.
    neuron_table : str, optional
        Which table of neurons, in a file with several: ``"processing/ecephys/units"``.
    behavior : str or list of str
        Series and events to read with the spikes, named as `describe_nwb` lists them, for
        `align_behavior`.
    source_id : str, optional
        Name of the source; the session's identifier by default.
    cache_folder : path-like, optional
        Folder in which what is fetched from an address is kept for the next time.

    Returns
    -------
    xarray.Dataset
        A Session.  Columns carry ``units``, times also ``clock``; ``attrs["problems"]`` is a
        JSON list of what looks wrong.

    Raises
    ------
    SourceError
        A file that cannot be read, has no neurons, or lacks the table or column named.

    Warns
    -----
    PopdynWarning
        When times do not look like seconds on one clock, neurons are taken as recorded for a
        part of the session, spike times that are not numbers were left out, or repeated ids
        were replaced.

    Examples
    --------
    >>> session = read_session("data/human_mtl_boundaries_sub-4_ses-4.nwb", "encoding_table")
    >>> dict(session.sizes)["neuron"], dict(session.sizes)["trial"]
    (35, 90)
    >>> session["boundary1_time"].attrs["units"]
    's'
    """
    only = () if trials is None else (str(trials),)
    recording = read_recording(
        path, only=only, neuron_table=neuron_table, cache_folder=cache_folder
    )
    neurons = wanted_neurons(recording)
    table = None if trials is None else wanted_table(recording, str(trials))
    asked = check_corrections(
        table, recording.source.name, clocks=clocks, units=units, shift=shift,
        restart_offset=restart_offset, overlaps=overlaps,
    )  # fmt: skip
    stored = table
    neurons, table, notes = correct(neurons, table, asked)
    recording = replace(
        recording, neurons=neurons, tables={} if table is None else {table.name: table}
    )
    findings = find_problems(recording, trials, asked.clocks)
    span = session_span(neurons, table)
    coverage = find_coverage(neurons, span, observed)
    _warn(neurons, table, (*findings.serious, *notes))
    gaps = gap_problems(neurons, coverage, span)
    warn_partial(neurons, coverage, span)
    for line in coverage.problems:
        if "in milliseconds?" in line:
            warn(line)
    series = read_series(path, behavior, span, cache_folder) if behavior else []
    _check_clock_of(series, asked, recording.source.name)
    told = [line for one in series for line in one.notes]
    history: dict[str, Any] = {
        "file": recording.source.name, "trials": trials, "observed": observed,
        **({"behavior": [one.name for one in series]} if series else {}),
    }  # fmt: skip
    attrs = {
        "source": "recording",
        "source_id": _source_id(recording, source_id),
        "file": recording.source.name,
        "trials": table.name if table is not None else "",
        "session_start_time": recording.started,
        "nwb_version": recording.source.schema,
        "problems": json.dumps([*notes, *findings.problems, *coverage.problems, *gaps, *told]),
    }
    clock = findings.clocks[table.name].clock if table is not None else {}
    attrs = add_history(attrs, "read_session", **history, **asked.asked())
    session = add_behavior(_as_session(neurons, table, coverage, clock, attrs), series)
    return restore_attributes(
        session,
        recording.stored_by_popdyn,
        corrected={*asked.clocks, *asked.units, *changed_columns(stored, table)},
        observed=observed,
        keep_source_id=source_id is not None,
    )


def _check_clock_of(series: Sequence[Series], asked: Corrections, file: str) -> None:
    """Say that corrections of spikes and trials do not reach the series of behavior."""
    moved = asked.shift or asked.units or asked.restart_offset is not None
    if not series or not moved:
        return
    of_trials = [one.name for one in series if one.path.startswith("/intervals/")]
    if of_trials:
        message = (
            f"{', '.join(of_trials)} of {file} are times of the trials, and units, shift and "
            "restart_offset do not reach them as behavior: read them without these arguments."
        )
        raise SourceError(message)
    names = ", ".join(one.name for one in series)
    warn(
        f"behavior ({names}) stays on the clock of the file: units, shift and restart_offset move "
        "spikes and trials only"
    )


def _as_session(
    neurons: Neurons,
    table: Table | None,
    coverage: Coverage,
    clock: Mapping[str, str],
    attrs: dict[str, Any],
) -> xr.Dataset:
    session = own_session(
        neurons.spike_time,
        neurons.neuron_start,
        neurons=_values(neurons.table),
        trials=None if table is None else _values(table),
        obs=coverage.intervals,
        attrs=attrs,
    )
    _describe_columns(session, "neuron", neurons.table, {})
    if table is not None:
        _describe_columns(session, "trial", table, clock)
    return session


def read_nwb(
    path: str | os.PathLike[str],
    align: str = "start_time",
    window: Sequence[float] = (-0.5, 1.0),
    bin_width: float = 0.010,
    trials: str = "trials",
    neurons: Any = None,
    *,
    select_trials: Any = None,
    **reading: Unpack[Reading],
) -> xr.DataArray:
    """Read an NWB file and count spikes in bins around an event of each trial.

    Parameters
    ----------
    path : str or path-like
        An NWB file (HDF5, schema 1 or 2; Zarr with the extra ``zarr``), or an http(s) address.
    align : str
        Column of event times.
    window : (float, float)
        Start and stop in seconds relative to the event.
    bin_width : float
        In seconds.
    trials : str
        Name of the interval table whose rows are the trials.
    neurons, select_trials : mapping, mask or list of ids, optional
        Selections by column values, such as ``{"location": "amygdala_right"}``; see
        `popdyn.tensor.selection.matching`.
    **reading
        ``clocks``, ``units``, ``shift``, ``restart_offset``, ``overlaps``, ``observed``,
        ``neuron_table``, ``source_id``, ``cache_folder``: as for `read_session`.

    Returns
    -------
    xarray.DataArray
        ``spike_count (neuron, time, trial)``; NaN where a neuron was not observed.

    Raises
    ------
    SourceError
        As for `read_session`.
    TensorError
        As for `align`.

    Examples
    --------
    >>> tensor = read_nwb(
    ...     "data/human_mtl_boundaries_sub-4_ses-4.nwb", align="boundary1_time",
    ...     window=(-1.0, 1.0), bin_width=0.1, trials="encoding_table",
    ...     neurons={"location": "hippocampus_right"}, select_trials={"stimCategory": 1},
    ... )
    >>> tensor.shape
    (25, 20, 30)
    """
    session = read_session(path, trials, **reading)
    return align_session(session, align, window, bin_width, select_trials, neurons=neurons)


def _warn(neurons: Neurons, table: Table | None, serious: tuple[str, ...]) -> None:
    """Warn where numbers may not mean what they seem to."""
    lines = [*serious]
    lines += [note for note in neurons.table.notes if "ids repeat" in note]
    lines += [note for note in (table.notes if table else ()) if "ids repeat" in note]
    lost = "neurons.spike_times: the last "
    lines += [note for note in neurons.table.notes if note.startswith(lost)]
    if neurons.n_not_finite:
        lines.append(f"{neurons.n_not_finite} spike times are NaN or infinite and were left out")
    for line in lines:
        warn(line)


def _source_id(recording: Recording, given: str | None) -> str:
    name = given or recording.identifier or recording.source.stem
    return name.replace("/", "_")


def _values(table: Table) -> dict[str, Any]:
    columns = {name: column.values for name, column in table.kept.items() if name != "id"}
    return {"id": table.ids, **columns}


def _describe_columns(
    session: xr.Dataset, dim: str, table: Table, clock: Mapping[str, str]
) -> None:
    """Set units, clock and description on the columns of one table of a fresh session."""
    columns = table.kept
    for name in session.coords:
        coord = session.variables[name]  # an item of the Dataset takes a millisecond
        column = columns.get(str(coord.attrs.get("file_name", name)))
        if coord.dims != (dim,) or name == dim or column is None:
            continue
        which = clock.get(column.name, "")
        about = {
            "units": column_units(column, is_time=bool(which)),
            "clock": which,
            "description": column.description,
        }
        coord.attrs.update({key: words for key, words in about.items() if words})
