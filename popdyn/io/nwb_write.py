"""NWB out: a session, or counts, as a file that others read.

>>> import popdyn as pdn, tempfile
>>> session = pdn.make_session([0.1, 0.5, 1.2], [0, 3], trials={"start_time": [0.0, 1.0]})
>>> with tempfile.TemporaryDirectory() as folder:
...     file = pdn.write_nwb(f"{folder}/small.nwb", session)
...     pdn.read_session(file)["spike_time"].values.tolist()
[0.1, 0.5, 1.2]
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from popdyn.errors import SourceError, TensorError
from popdyn.io.writing.behavior import add_series
from popdyn.io.writing.content import (
    TablePlan,
    plain_value,
    plan_intervals,
    plan_table,
    ragged,
    table_columns,
)
from popdyn.io.writing.counts import session_of_counts
from popdyn.io.writing.electrodes import ElectrodePlan, add_electrodes, plan_electrodes, region
from popdyn.io.writing.header import Header, new_file
from popdyn.io.writing.restore import SCRATCH_NAME, IntervalsRecord, Record, core_digest
from popdyn.tensor.result import add_history
from popdyn.tensor.session import check_session, is_session

if TYPE_CHECKING:
    import pandas as pd

_ABOUT = "What popdyn knows of the session beyond NWB, as JSON"


def write_nwb(
    path: str | os.PathLike[str],
    session_or_counts: xr.Dataset | xr.DataArray,
    *,
    overwrite: bool = False,
    session_description: str | None = None,
    identifier: str | None = None,
    session_start_time: datetime | str | None = None,
    subject: Mapping[str, Any] | None = None,
    experimenter: str | Sequence[str] | None = None,
    lab: str | None = None,
    institution: str | None = None,
    experiment_description: str | None = None,
    keywords: Sequence[str] | None = None,
    related_publications: str | Sequence[str] | None = None,
    electrodes: pd.DataFrame | Mapping[str, Any] | None = None,
    neuron_electrodes: str | Sequence[Any] | None = None,
    resolution: float | None = None,
    trial_start: str | None = None,
) -> Path:
    """Write a Session, or a tensor of spike counts, to an NWB 2 file (HDF5).

    Spike times and observation intervals are stored bit for bit.  What NWB has no place for
    (roles, clocks, names that it reserves, ids that are text) lies as JSON text in
    ``/scratch/popdyn``, from where `read_session` restores it.  The file is written beside its
    place and moved there when complete.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.nwb``; in a folder that exists.
    session_or_counts : Session or tensor
        A tensor ``spike_count (neuron, time, trial)`` needs windows that do not overlap on the
        session's clock.  Its spikes are put evenly into their bins, its NaN bins become gaps
        in the observation intervals; without ``align_time`` its trials are laid out one after
        another with a pause of 1 s.
    overwrite : bool
        Whether a file that exists may be replaced.
    session_description, experiment_description, lab, institution : str, optional
        Text of the header; descriptions have a default that says where the data come from.
    identifier : str, optional
        Unique name of the session; by default from its ``source_id``.
    session_start_time : datetime or str, optional
        Date and time of second zero, ISO 8601, UTC where it names no zone.  By default that of
        the file the session was read from, else 2000-01-01, which the header then says.
    subject : mapping, optional
        Fields of NWB's subject, such as ``subject_id``, ``species``, ``sex``, ``age``.  What
        is not given is stated as unknown; the species of a network as synthetic.
    experimenter, keywords, related_publications : str or sequence of str, optional
        Further header; experimenters as ``"Last, First"``.
    electrodes : pandas.DataFrame or mapping, optional
        One row per electrode, the index (or a column ``id``) its id.  ``group`` names the
        probe and is needed; ``location``, ``x``, ``y``, ``z``, ``imp``, ``filtering``,
        ``device`` and any other column are written, and neurons read from the file have the
        location and group of their electrodes.  Without it the neuron columns ``location`` and
        ``group_name`` make one electrode per distinct pair.
    neuron_electrodes : str or sequence, optional
        The electrodes of each neuron: a neuron column of ids, or an id or list of ids each.
    resolution : float, optional
        Smallest difference between spike times (s), such as one sample of the recording; by
        default what float64 resolves at the last spike.
    trial_start : str, optional
        For trials without ``start_time``, which NWB asks for: the column of session times (s)
        to take.  A missing ``stop_time`` is written as NaN.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SourceError
        The path: no such folder, a file that exists, no ``.nwb``; fields that NWB lacks.
    TensorError
        Neither Session nor counts; windows that overlap; trials without a start; text that
        HDF5 cannot hold; electrodes that do not fit.

    Examples
    --------
    >>> import popdyn as pdn, tempfile
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> sim = pdn.simulate(net, pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt))
    >>> session = pdn.observe(sim, 20, rng=1)
    >>> cut = {"window": (0.0, 0.8), "bin_width": 0.1}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pdn.write_nwb(f"{folder}/network.nwb", session)
    ...     tensor = pdn.read_nwb(file, "stimulus_on_time", **cut)
    >>> bool((tensor == pdn.align(session, "stimulus_on_time", **cut)).all())
    True
    """
    target = _target(path, overwrite)
    session, made, note = _session(session_or_counts)
    header = Header(
        session_description=session_description,
        identifier=identifier,
        session_start_time=session_start_time,
        subject=subject,
        experimenter=experimenter,
        lab=lab,
        institution=institution,
        experiment_description=experiment_description,
        keywords=keywords,
        related_publications=related_publications,
        note=note,
    )
    where = plan_electrodes(session, electrodes, neuron_electrodes)
    skip = where.skip if where is not None else frozenset()
    neurons = plan_table(session, "neuron", skip=skip)
    trials = plan_table(session, "trial", made=made, start=trial_start)
    with _quiet():
        content = new_file(session, header)
        if where is not None:
            add_electrodes(content, where)
        intervals = _add_units(content, session, neurons, where, resolution)
        if session.sizes["trial"]:
            _add_trials(content, session, trials)
        record = Record(
            attrs=_attrs(session),
            tables={
                "neuron": neurons.record.model_copy(update={"derived": electrodes is not None}),
                "trial": trials.record,
            },
            intervals=intervals,
            behavior=add_series(content, session),
            digest=core_digest(session.drop_vars(made)),
        )
        content.add_scratch(record.model_dump_json(), name=SCRATCH_NAME, description=_ABOUT)
        _write(content, target, overwrite)
    return target


def _session(x: Any) -> tuple[xr.Dataset, tuple[str, ...], str]:
    """Return the session to write, trial columns made for NWB, and what to say of it."""
    if is_session(x):
        session = check_session(x)
        if not session.sizes["neuron"]:
            message = "there is nothing to write: the session has no neurons."
            raise TensorError(message)
        return session, (), ""
    return session_of_counts(x)


def _target(path: Any, overwrite: bool) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        message = f"expected the path of a file to write, found {type(path).__name__}."
        raise SourceError(message)
    target = Path(path).expanduser()
    if target.is_dir():
        message = f"cannot write to {target}: it is a folder; name a file in it."
        raise SourceError(message)
    if target.suffix.lower() != ".nwb":
        message = f"NWB files end in .nwb: name it {target.with_suffix('.nwb').name}."
        raise SourceError(message)
    if not target.parent.is_dir():
        message = f"cannot write {target.name}: the folder {target.parent} does not exist."
        raise SourceError(message)
    if target.exists() and not overwrite:
        raise SourceError(_exists(target))
    return target


def _exists(target: Path) -> str:
    return (
        f"{target} exists and was left as it is: choose another name, or replace it with "
        "overwrite=True."
    )


def _add_units(
    content: Any,
    session: xr.Dataset,
    plan: TablePlan,
    where: ElectrodePlan | None,
    resolution: float | None,
) -> IntervalsRecord:
    from pynwb.misc import Units

    spikes = session["spike_time"].values
    rows, n_intervals, record = plan_intervals(session)
    columns, names = table_columns(plan)
    n_spikes = np.diff(session["neuron_start"].values)
    columns += ragged("spike_times", spikes, n_spikes, "Spike times of each neuron (s)")
    columns += ragged("obs_intervals", rows, n_intervals, "When each neuron was observed (s)")
    names = [*names, "spike_times", "obs_intervals"]
    located = region(content, where) if where is not None else []
    if located:
        names.append("electrodes")
    content.units = Units(
        name="units",
        description="Neurons and their spikes",
        id=plan.ids,
        columns=[*columns, *located],
        colnames=names,
        electrode_table=content.electrodes if located else None,
        resolution=_resolution(spikes, resolution),
    )
    return record


def _resolution(spikes: np.ndarray, given: float | None) -> float:
    if given is None:
        return float(np.spacing(np.abs(spikes).max(initial=1.0)))
    if not np.isfinite(given) or given <= 0:
        message = f"resolution is a positive number of seconds, found {given!r}."
        raise TensorError(message)
    return float(given)


def _add_trials(content: Any, session: xr.Dataset, plan: TablePlan) -> None:
    from pynwb.epoch import TimeIntervals

    columns, names = table_columns(plan)
    name = str(session.attrs.get("trials") or "trials").replace("/", "_").replace(":", "_")
    table = TimeIntervals(
        name=name,
        description="Trials, on the clock of the session",
        id=plan.ids,
        columns=columns,
        colnames=names,
    )
    if name in ("trials", "epochs", "invalid_times"):
        setattr(content, name, table)
    else:
        content.add_time_intervals(table)


def _attrs(session: xr.Dataset) -> dict[str, str | int | float]:
    """Return the attributes of the session, with one more step in its history."""
    attrs = add_history(session.attrs, "write_nwb")
    return {key: plain_value(value) for key, value in attrs.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what pynwb warns about: it concerns its caller, who is popdyn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _write(content: Any, target: Path, overwrite: bool) -> None:
    """Write beside the target, then move there; nothing is left after an error."""
    import pynwb

    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    os.close(handle)
    beside = Path(name)
    try:
        with pynwb.NWBHDF5IO(name, mode="w") as writer:
            writer.write(content)
        beside.chmod(0o666 & ~_umask())
        _move(beside, target, overwrite)
    finally:
        beside.unlink(missing_ok=True)


def _move(beside: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        beside.replace(target)
        return
    try:
        # Fails where the target came into being meanwhile, unlike a replacement.
        target.hardlink_to(beside)
    except FileExistsError as error:
        raise SourceError(_exists(target)) from error
    except OSError:
        # File systems without links.
        if target.exists():
            raise SourceError(_exists(target)) from None
        beside.replace(target)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
