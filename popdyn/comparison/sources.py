"""Turn every source of a spec into the same thing: an aligned tensor with named conditions."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from popdyn.comparison.performed import Performed
from popdyn.comparison.role_units import in_seconds
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.source_spec import (
    Member,
    Pseudopopulation,
    Reading,
    Recording,
    Role,
    SavedTensor,
)
from popdyn.comparison.spec import Alignment, Spec
from popdyn.errors import PopdynError, PopdynWarning, SpecError, warn
from popdyn.io.nwb import read_session
from popdyn.preprocess.pseudopopulation import pseudopopulation
from popdyn.tensor.align import align
from popdyn.tensor.contract import bin_centers, bin_width_of, check, column_names
from popdyn.tensor.roles import assign_roles
from popdyn.tensor.selection import matching
from popdyn.tensor.store import load
from popdyn.tensor.view import group_conditions

Trials = TypeVar("Trials", xr.DataArray, xr.Dataset)


@dataclass(frozen=True)
class Prepared:
    """A source, ready to be analyzed.

    Attributes
    ----------
    id, kind : str
        As in the spec.
    tensor : xarray.DataArray
        ``(neuron, time, trial)`` on the bins of the spec, with the roles as trial columns;
        trials without a condition are left out.
    sessions : tuple of (Session, str)
        Where the spikes are, if there are any, and the event they are aligned to.
    origin : dict
        Neuron id (as text) -> position of its session and its id there.
    inputs : dict
        Name of each input -> digest of its content.
    problems : tuple of str
        What looks wrong in it.
    said : tuple of str
        What was warned of while it was read.
    n_source, n_aligned : int
        Trials of the source, and those that remain before matching: selected, with the event
        and with a condition.  0: not counted.
    performed : Performed or None
        The network itself, where the source is one.
    """

    id: str
    kind: str
    tensor: xr.DataArray
    sessions: tuple[tuple[xr.Dataset, str], ...] = ()
    origin: dict[str, tuple[int, Any]] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    n_source: int = 0
    n_aligned: int = 0
    performed: Performed | None = None


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect popdyn's warnings as text; other warnings pass."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PopdynWarning)
        yield messages
    for item in caught:
        if not issubclass(item.category, PopdynWarning):
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
        elif str(item.message) not in messages:
            messages.append(str(item.message))


@contextmanager
def blaming(source_id: str) -> Iterator[None]:
    """Name the source in every error that its data cause."""
    try:
        yield
    except PopdynError as error:
        message = f"source {source_id!r}: {error}"
        raise type(error)(message) from error


def prepare(source: Recording | SavedTensor | Pseudopopulation, spec: Spec) -> Prepared:
    """Read a source from its file and align it.

    Parameters
    ----------
    source : Recording, SavedTensor or Pseudopopulation
        A table of the spec.
    spec : Spec
        The whole spec: it says the window, the bins and the conditions.

    Returns
    -------
    Prepared

    Raises
    ------
    SourceError, TensorError, SpecError
        Naming the source: what its file lacks, which column or value is unknown, or which
        bins or event do not fit.
    """
    with blaming(source.id), noted() as said:
        if isinstance(source, Recording):
            prepared = _prepare_recording(source, spec)
        elif isinstance(source, SavedTensor):
            prepared = _prepare_tensor(source, spec)
        else:
            prepared = _prepare_pseudopopulation(source, spec)
        prepared = with_conditions(prepared, spec.conditions.by)
    return with_problems(prepared, said)


def with_problems(prepared: Prepared, said: list[str]) -> Prepared:
    """Keep what was warned of, and gather it with what the sessions say is wrong, each once."""
    several = len(prepared.sessions) > 1
    known = [
        f"{session.attrs['source_id']}: {problem}" if several else problem
        for session, _ in prepared.sessions
        for problem in json.loads(session.attrs.get("problems", "[]"))
    ]
    return replace(prepared, problems=tuple(dict.fromkeys([*known, *said])), said=tuple(said))


def from_session(
    session: xr.Dataset, source: Any, event: str, when: Alignment, name: str
) -> Prepared:
    """Align one session, as a recording and an observed network alike are aligned."""
    trials = with_roles(session, source.select, source.roles)
    tensor = align(trials, event, when.window, when.bin_width, neurons=source.neurons or None)
    ids = tensor.coords["neuron"].values
    return Prepared(
        id=source.id,
        kind=source.kind,
        tensor=tensor,
        sessions=((trials, event),),
        origin={str(neuron): (0, neuron) for neuron in ids},
        inputs={name: str(session.attrs["input_digest"])},
        n_source=session.sizes["trial"],
    )


def with_roles(x: Trials, select: Mapping[str, Any], roles: Mapping[str, Role]) -> Trials:
    """Keep the selected trials and add a column for every role, times in seconds.

    A selection names columns as the file does; a role that is no column of the file is
    selected by after it was made.
    """
    columns = column_names(x, "trial")
    first = {key: value for key, value in select.items() if key in columns or key not in roles}
    later = {key: value for key, value in select.items() if key not in first}
    kept = x.isel(trial=np.flatnonzero(matching(x, "trial", first or None)))
    given = {
        name: {k: v for k, v in role.model_dump().items() if v} for name, role in roles.items()
    }
    named = in_seconds(assign_roles(kept, given), roles)
    return named.isel(trial=np.flatnonzero(matching(named, "trial", later or None)))


def with_conditions(prepared: Prepared, by: tuple[str, ...]) -> Prepared:
    """Leave out trials that have no condition, and say so."""
    tensor = prepared.tensor
    for name in by:
        if name in tensor.coords and tensor.coords[name].dtype == np.float32:
            # 0.1 in single precision must be the 0.1 of another source.
            exact = tensor.coords[name].values.astype(str).astype(np.float64)
            tensor = tensor.assign_coords({name: ("trial", exact, tensor.coords[name].attrs)})
    keep = np.flatnonzero(group_conditions(tensor, list(by)).index >= 0)
    n_left_out = tensor.sizes["trial"] - keep.size
    if n_left_out:
        message = f"{n_left_out} trials have no value of {', '.join(by)} and were left out."
        warnings.warn(message, PopdynWarning, stacklevel=2)
        tensor = tensor.isel(trial=keep)
        tensor.attrs["n_dropped"] = int(tensor.attrs.get("n_dropped", 0)) + n_left_out
    return replace(prepared, tensor=tensor, n_aligned=tensor.sizes["trial"])


def _prepare_recording(source: Recording, spec: Spec) -> Prepared:
    session = read_session(source.path, trials=source.trials, **source.reading)
    return from_session(session, source, source.align, spec.alignment, source.path.name)


def _prepare_tensor(source: SavedTensor, spec: Spec) -> Prepared:
    tensor = load(source.path)
    if not isinstance(tensor, xr.DataArray):
        message = (
            f"{source.path.name} holds no tensor but a {type(tensor).__name__}: save one with "
            "pdn.save(tensor, path)"
        )
        raise SpecError(message)
    tensor = check(tensor)
    _check_alignment(tensor, source, spec.alignment)
    digest = str(tensor.attrs.get("input_digest", ""))
    n_source = tensor.sizes["trial"] + int(tensor.attrs.get("n_dropped", 0))
    tensor = with_roles(tensor, source.select, source.roles)
    keep = matching(tensor, "neuron", source.neurons or None)
    tensor = tensor.isel(neuron=np.flatnonzero(keep))
    return Prepared(
        id=source.id,
        kind=source.kind,
        tensor=tensor,
        inputs={source.path.name: digest},
        n_source=n_source,
    )


def _check_alignment(tensor: xr.DataArray, source: SavedTensor, when: Alignment) -> None:
    """Refuse a saved tensor on other bins, or aligned to another event, than the spec says."""
    found = str(tensor.attrs.get("align", ""))
    if found != source.align:
        message = (
            f"{source.path.name} is aligned to {found!r}, the spec says {source.align!r}: align "
            f"it anew with pdn.align(session, {source.align!r}, ...), or correct 'align'"
        )
        raise SpecError(message)
    centers, time = bin_centers(when.window, when.bin_width), tensor.coords["time"].values
    width = bin_width_of(tensor)
    same = centers.size == time.size and np.allclose(centers, time, rtol=0, atol=1e-6 * width)
    if not (same and np.isclose(width, when.bin_width)):
        start, stop = time[0] - width / 2, time[-1] + width / 2
        low, high = when.window
        message = (
            f"{source.path.name} has {time.size} bins of {width:g} s from {start:g} to {stop:g} s, "
            f"the other sources have {centers.size} bins of {when.bin_width:g} s from {low:g} to "
            f"{high:g} s ([alignment] of the spec): bin it anew with pdn.align(session, "
            f"{source.align!r}, window=({low:g}, {high:g}), bin_width={when.bin_width:g}), or "
            "change [alignment] for all"
        )
        raise SpecError(message)


def _prepare_pseudopopulation(source: Pseudopopulation, spec: Spec) -> Prepared:
    parts = [_prepare_member(source, member, spec) for member in source.recordings]
    by = list(spec.conditions.by)
    rng = derive_seed(spec.seed, source.id, "pseudopopulation")
    tensor = pseudopopulation([part.tensor for part in parts], by, rng=rng)
    own = [(k, neuron) for k, part in enumerate(parts) for _, neuron in part.origin.values()]
    inputs: dict[str, str] = {}
    for part in parts:
        inputs |= part.inputs
    return Prepared(
        id=source.id,
        kind=source.kind,
        tensor=tensor,
        sessions=tuple(part.sessions[0] for part in parts),
        origin=dict(zip(map(str, tensor.coords["neuron"].values), own, strict=True)),
        inputs=inputs,
    )


def _prepare_member(source: Pseudopopulation, member: Member, spec: Spec) -> Prepared:
    """Read one recording of a pseudo-population; what it leaves out the source provides."""
    whole = Recording(
        id=source.id,
        kind="recording",
        path=Path(member.path),
        trials=member.trials or source.trials,
        align=member.align or str(source.align),
        **{name: getattr(member, name) for name in Reading.model_fields},
        neurons={**source.neurons, **member.neurons},
        select={**source.select, **member.select},
        roles={**source.roles, **member.roles},
    )
    with noted() as said:
        part = with_conditions(_prepare_recording(whole, spec), spec.conditions.by)
    for problem in said:
        # Which of the recordings is meant must stay known in the pool.
        warn(f"{part.sessions[0][0].attrs['source_id']}: {problem}")
    return part
