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
from typing import Any

import xarray as xr

from popdyn.errors import warn
from popdyn.io.coverage import find_coverage, session_span, warn_partial
from popdyn.io.describe import find_problems, summarize
from popdyn.io.neurons import Neurons
from popdyn.io.recording import Recording, read_recording
from popdyn.io.summary import FileSummary
from popdyn.io.tables import Table
from popdyn.io.times import column_units
from popdyn.io.wanted import wanted_clocks, wanted_neurons, wanted_table
from popdyn.tensor.align import align as align_session
from popdyn.tensor.result import add_history
from popdyn.tensor.session import make_session


def describe_nwb(path: str | os.PathLike[str]) -> FileSummary:
    """Say what an NWB file holds and what looks wrong in it.

    Parameters
    ----------
    path : str or path-like
        An NWB 2 file (HDF5).

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
    return summarize(read_recording(path))


def read_session(
    path: str | os.PathLike[str],
    trials: str | None = "trials",
    *,
    clocks: Mapping[str, str] | None = None,
    observed: str = "auto",
    source_id: str | None = None,
) -> xr.Dataset:
    """Read the spikes, neurons and trials of an NWB file, unbinned.

    Nothing is rescaled.  Spike times and each column are read in one go.

    Parameters
    ----------
    path : str or path-like
        An NWB 2 file (HDF5).
    trials : str, optional
        Name of the interval table whose rows are the trials; None for a session without.
    clocks : mapping, optional
        ``{"column": "session" | "trial"}``: the clock of a time column (seconds since the
        session's start, or since the trial's), where the values mislead.
    observed : {"auto", "session", "spikes"}
        When neurons count as observed.  ``"auto"``: the file's ``obs_intervals``; without them
        from the first to the last spike or trial of the session, except for neurons that are
        silent at its start or end for more than a tenth of it where their rate asks for at
        least 100 spikes: these from their first to their last spike, with a warning.
        ``"session"``: all neurons, all the time.  ``"spikes"``: first to last spike.
    source_id : str, optional
        Name of the source; the session's identifier by default.

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
        When neurons are taken as recorded for a part of the session, spike times that are not
        numbers were left out, or repeated ids were replaced.

    Examples
    --------
    >>> session = read_session("data/human_mtl_boundaries_sub-4_ses-4.nwb", "encoding_table")
    >>> dict(session.sizes)["neuron"], dict(session.sizes)["trial"]
    (35, 90)
    >>> session["boundary1_time"].attrs["units"]
    's'
    """
    recording = read_recording(path, only=() if trials is None else (str(trials),))
    neurons = wanted_neurons(recording)
    table = None if trials is None else wanted_table(recording, str(trials))
    own_clocks = wanted_clocks(clocks, table, recording)
    findings = find_problems(recording, trials, own_clocks)
    clock = findings.clocks[table.name].clock if table is not None else {}
    span = session_span(neurons, table)
    coverage = find_coverage(neurons, span, observed)
    _warn(neurons, table)
    warn_partial(neurons, coverage, span)
    attrs = {
        "source": "recording",
        "source_id": _source_id(recording, source_id),
        "file": recording.source.name,
        "trials": table.name if table is not None else "",
        "session_start_time": recording.started,
        "nwb_version": recording.source.schema,
        "problems": json.dumps([*findings.problems, *coverage.problems]),
    }
    attrs = add_history(
        attrs, "read_session", file=recording.source.name, trials=trials, observed=observed,
        clocks=own_clocks,
    )  # fmt: skip
    session = make_session(
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
    clocks: Mapping[str, str] | None = None,
    observed: str = "auto",
    source_id: str | None = None,
) -> xr.DataArray:
    """Read an NWB file and count spikes in bins around an event of each trial.

    Parameters
    ----------
    path : str or path-like
        An NWB 2 file (HDF5).
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
    clocks, observed, source_id
        As for `read_session`.

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
    session = read_session(path, trials, clocks=clocks, observed=observed, source_id=source_id)
    return align_session(session, align, window, bin_width, select_trials, neurons=neurons)


def _warn(neurons: Neurons, table: Table | None) -> None:
    """Warn where reading changed what the file says."""
    lines = [note for note in neurons.table.notes if "ids repeat" in note]
    lines += [note for note in (table.notes if table else ()) if "ids repeat" in note]
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
    for name, coord in session.coords.items():
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
