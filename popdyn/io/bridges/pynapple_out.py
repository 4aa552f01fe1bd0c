"""From a Session to pynapple's objects; whatever they cannot hold is named."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import PopdynError, warn
from popdyn.io.bridges.foreign import named
from popdyn.io.bridges.pynapple_in import KEPT
from popdyn.io.bridges.pynapple_support import always_observed, joined, to_supports
from popdyn.io.bridges.pynapple_trials import column_attrs, columns_of, to_trials
from popdyn.tensor.behavior import behavior_names
from popdyn.tensor.contract import column_names
from popdyn.tensor.session import check_session, neuron_spikes

_KEYS = ("units", "trials", KEPT)


def to_pynapple(session: xr.Dataset, *, drop_trials: bool = False) -> dict[str, Any]:
    """Make pynapple's objects from a Session.

    Parameters
    ----------
    session : Session
    drop_trials : bool
        What happens when some trials cannot be in an IntervalSet, which holds no interval
        without an end, none that overlaps another, and none without duration.  False: all trials
        come as a pandas DataFrame instead, with ``start`` and ``end``.  True: those are left out.

    Returns
    -------
    dict
        ``"units"``: a TsGroup with the neurons' columns as metadata, and the observation
        intervals as time support; neurons lie in the order of their ids (ids that are no whole
        numbers become the column ``neuron``).  ``"trials"``: an IntervalSet with the trials'
        columns as metadata, in the order of their start (ids other than 0, 1, 2, ... become the
        column ``trial``).  Each behavior series: a Tsd, TsdFrame or Ts.  ``"popdyn"``: a plain
        dict of what pynapple has no place for (units and clocks of columns, attributes), with
        which `popdyn.from_pynapple` makes the same Session again.

    Raises
    ------
    PopdynError
        If pynapple is not installed.
    TensorError
        If session is no Session.

    Warns
    -----
    PopdynWarning
        For spikes outside observation intervals (pynapple drops them), neurons observed at
        different times (a TsGroup counts with one time support), trials that an IntervalSet
        cannot hold, event columns relative to the trial's start, and metadata that
        ``get_info`` alone reaches.

    Notes
    -----
    pynapple 0.8 and newer.  0.11.3 keeps times in seconds bit for bit; older versions round them to
    a nanosecond, and a warning says so.

    Examples
    --------
    >>> from popdyn.tensor.session import make_session
    >>> session = make_session([0.5], [0, 1], trials={"start_time": [0.0], "stop_time": [1.0]})
    >>> objects = to_pynapple(session)
    >>> objects["units"][0].t.tolist(), objects["trials"].end.tolist()
    ([0.5], [1.0])
    """
    nap = _pynapple()
    check_session(session)
    with warnings.catch_warnings():
        # Whatever pynapple changes is compared below, and said in our words.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        group = _group(nap, session)
        trials, lines = to_trials(nap, session, drop_trials)
        series = {name: _series(nap, session, name) for name in behavior_names(session)}
    _say_what_changed(session, group, lines)
    found: dict[str, Any] = {"units": group}
    if trials is not None:
        found["trials"] = trials
    keys = {name: name if name not in _KEYS else f"behavior_{name}" for name in series}
    found |= {keys[name]: one for name, one in series.items()}
    found[KEPT] = {
        "observed": "session" if always_observed(session) else "own",
        "attrs": dict(session.attrs),
        "columns": column_attrs(session),
        "behavior": {keys[name]: {"name": name, **session[name].attrs} for name in series},
    }
    return found


def _pynapple() -> ModuleType:
    try:
        found = importlib.import_module("pynapple")
    except ImportError as error:
        message = "to_pynapple needs the package pynapple: pip install pynapple"
        raise PopdynError(message) from error
    version = str(getattr(found, "__version__", "0.8"))
    if version.startswith(tuple(f"0.{minor}." for minor in range(8))):
        message = (
            f"to_pynapple needs pynapple 0.8 or newer (metadata), found {version}: "
            "pip install --upgrade pynapple"
        )
        raise PopdynError(message)
    return found


def _group(nap: ModuleType, session: xr.Dataset) -> Any:
    observed = to_supports(session)
    start = np.concatenate([o[0] for o in observed]) if observed else np.zeros(1)
    stop = np.concatenate([o[1] for o in observed]) if observed else np.ones(1)
    whole = nap.IntervalSet(*joined(start, stop))
    ids = session["neuron"].values
    columns = columns_of(session, "neuron")
    if ids.dtype.kind not in "iu":
        columns = {"neuron": ids, **columns}
        ids = np.arange(ids.size)
    order = np.argsort(ids, kind="stable")
    members = {}
    for position in order:
        support = nap.IntervalSet(*observed[position])
        members[int(ids[position])] = nap.Ts(
            t=neuron_spikes(session, int(position)), time_support=support
        )
    metadata = {name: values[order] for name, values in columns.items()}
    # Members keep their own, narrower support: `from_pynapple` reads it there.
    return nap.TsGroup(members, time_support=whole, bypass_check=True, metadata=metadata)


def _series(nap: ModuleType, session: xr.Dataset, name: str) -> Any:
    series = session[name]
    times, values = session[f"{name}_time"].values, series.values
    if values.ndim == 2:
        labels = f"{name}_channel"
        columns = session[labels].values if labels in session.coords else None
        return nap.TsdFrame(t=times, d=values, columns=columns)
    if series.attrs.get("kind") == "events" and (values == 1.0).all():
        return nap.Ts(t=times)
    return nap.Tsd(t=times, d=values)


def _spike_lines(session: xr.Dataset, group: Any) -> list[str]:
    """Compare the spikes of both sides: what pynapple dropped, what it rounded."""
    ids = session["neuron"].values
    keys = ids if ids.dtype.kind in "iu" else np.arange(ids.size)
    lost, moved = {}, 0.0
    for position, key in enumerate(keys):
        here, there = neuron_spikes(session, position), np.asarray(group[int(key)].t)
        if here.size != there.size:
            lost[ids[position]] = here.size - there.size
        elif here.size:
            moved = max(moved, float(np.abs(here - there).max()))
    lines = []
    if lost:
        lines.append(
            f"{sum(lost.values())} of {session.sizes['spike']} spikes lie outside the observation "
            f"intervals of their neuron, and pynapple drops them (neurons {named(lost)})."
        )
    if moved:
        lines.append(
            f"this version of pynapple rounds times: spikes moved by up to {moved:.2g} s (pynapple "
            "0.11.3 keeps them)."
        )
    return lines


def _say_what_changed(session: xr.Dataset, group: Any, lines: list[str]) -> None:
    """Warn of everything that is not as it was."""
    lines = [*_spike_lines(session, group), *lines]
    whole = group.time_support
    own = [one.time_support for one in group.values()]
    apart = [
        key
        for key, support in zip(group.keys(), own, strict=True)
        if not np.array_equal(np.asarray(support.start), np.asarray(whole.start))
        or not np.array_equal(np.asarray(support.end), np.asarray(whole.end))
    ]
    if apart:
        lines.append(
            f"{len(apart)} of {len(own)} neurons were observed for a part of the time only "
            f"(neurons {named(apart)}): each Ts keeps its own time_support, but functions of the "
            "TsGroup count silence outside as zero."
        )
    columns = {n: session.coords[n] for n in column_names(session, "trial")}
    relative = [n for n, c in columns.items() if c.attrs.get("clock") == "trial"]
    if relative:
        lines.append(
            f"columns {named(relative)} count from the trial's start, which pynapple does not "
            "know: add trials.start before aligning to them."
        )
    names = [*columns_of(session, "neuron"), *columns]
    hidden = [n for n in names if not n.isidentifier() or hasattr(type(group), n)]
    hidden += [n for n in columns if hasattr(type(whole), n) and n not in hidden]
    if hidden:
        lines.append(f"pynapple reaches the metadata {named(hidden)} by get_info only.")
    for line in lines:
        warn(line)
