"""From pynapple's objects to a Session.

Nothing here imports pynapple: objects are known by their attributes (``time_support``, ``t``,
``start`` and ``end``, ``metadata``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError, warn
from popdyn.io.bridges.foreign import Parts, assemble, named, plain_table
from popdyn.io.bridges.pynapple_support import from_supports, is_group, support_lines
from popdyn.io.bridges.pynapple_trials import from_trials, ids_of, metadata_of
from popdyn.io.bridges.series import as_series
from popdyn.tensor.behavior import Series, add_behavior

# The key under which `to_pynapple` keeps what pynapple has no place for.
KEPT = "popdyn"
_LOST_ATTRS = ("input_digest", "n_unsorted", "behavior")
_ACCEPTED = (
    "a TsGroup, a dict of Ts, a single Ts, or a dict with 'units' (and 'trials'). For arrays of "
    "spike times use popdyn.from_spikes or popdyn.make_session"
)


def from_pynapple(
    spikes: Any,
    trials: Any = None,
    *,
    behavior: Mapping[str, Any] | Sequence[str] | None = None,
    observed: str = "auto",
    clocks: Mapping[str, str] | None = None,
    column_attrs: Mapping[str, Mapping[str, Any]] | None = None,
    source_id: str | None = None,
) -> xr.Dataset:
    """Make a Session from pynapple's objects.

    Spike times are taken bit for bit.  pynapple itself is not needed.

    Parameters
    ----------
    spikes : TsGroup, mapping of id to Ts, Ts, or mapping with "units"
        The index becomes the neurons' ids, metadata their columns (``rate``, which pynapple
        computes, is left behind).  A mapping with ``"units"`` is what
        `popdyn.to_pynapple` gives and what ``nap.load_file`` opens: its ``"trials"`` are the
        trials, and its other series the behavior.
    trials : IntervalSet, pandas.DataFrame or str, optional
        ``start`` and ``end`` (s) become ``start_time`` and ``stop_time``, metadata columns.  A
        name picks another entry of the mapping.
    behavior : mapping of name to Tsd, TsdFrame or Ts, or sequence of names, optional
        Tsd and TsdFrame become series, Ts events.  Names pick entries of the mapping; without
        them a plain dict gives all it has, an opened file none (recordings can be large).
    observed : {"auto", "own", "session"}
        When neurons count as observed.  ``"auto"``: in their time support; one that merely runs
        from a neuron's first to its last spike is pynapple's default and says nothing, then the
        support of the whole group holds.  ``"own"``: in their own, whatever it is.
        ``"session"``: all the time.
    clocks : mapping, optional
        ``{"column": "session" | "trial"}``: the clock of a time column of the trials, where the
        values mislead.
    column_attrs : mapping, optional
        ``units``, ``clock`` and ``description`` of columns: pynapple keeps none.
    source_id : str, optional
        Name of the source; ``"pynapple"`` by default.

    Returns
    -------
    xarray.Dataset
        A Session.

    Raises
    ------
    TensorError
        If an object is none of pynapple's, trials stop before they start, or ids repeat.

    Warns
    -----
    PopdynWarning
        When columns or entries are left out, and when spike times are not numbers.

    Examples
    --------
    Whatever has pynapple's attributes will do:

    >>> from types import SimpleNamespace as Made
    >>> support = Made(start=[0.0], end=[10.0])
    >>> train = Made(t=[1.0, 2.5, 4.0], time_support=support)
    >>> session = from_pynapple({7: train}, Made(start=[0.0, 5.0], end=[4.0, 9.0]))
    >>> session["spike_time"].values.tolist(), session["stop_time"].values.tolist()
    ([1.0, 2.5, 4.0], [4.0, 9.0])
    """
    if observed not in ("auto", "own", "session"):
        message = f"observed must be 'auto', 'own' or 'session'; got {observed!r}."
        raise TensorError(message)
    given = spikes
    spikes, trials, behavior, kept = _unbundled(spikes, trials, behavior)
    trains, supports, ids, columns = _neurons(spikes)
    about = {**dict(kept.get("columns", {})), **dict(column_attrs or {})}
    attrs = _attrs(kept, source_id)
    problems = list(json.loads(attrs.pop("problems", "[]")))
    intervals = None
    policy = str(kept.get("observed", "auto")) if observed == "auto" else observed
    if policy != "session":
        own = policy == "own"
        intervals = from_supports(spikes, trains, supports, own)
        problems += support_lines(spikes, ids, trains, supports, own)
    parts = Parts(
        trains=trains,
        neurons=plain_table("neuron", ids, columns, about),
        trials=None if trials is None else from_trials(trials, about),
        observed=intervals,
        attrs=attrs,
        problems=problems,
        clocks=clocks or {},
        column_attrs=about,
    )
    session = assemble(parts, "from_pynapple", observed=observed, found=type(given).__name__)
    said = dict(kept.get("behavior", {}))
    return add_behavior(
        session, [_series(name, one, dict(said.get(name, {}))) for name, one in behavior.items()]
    )


def _is_series(x: Any) -> bool:
    return hasattr(x, "t") and hasattr(x, "time_support") and not isinstance(x, Mapping)


def _is_bundle(x: Any) -> bool:
    return isinstance(x, Mapping) and not is_group(x) and "units" in list(x.keys())


def _unbundled(
    spikes: Any, trials: Any, behavior: Any
) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """Take a mapping of everything apart: spikes, trials, behavior, what `to_pynapple` kept."""
    if not _is_bundle(spikes):
        if isinstance(trials, str) or not isinstance(behavior, (Mapping, type(None))):
            message = (
                "trials and behavior can be named only where the first argument is a mapping with "
                f"'units' that holds them; found {type(spikes).__name__}. Give the objects."
            )
            raise TensorError(message)
        return spikes, trials, dict(behavior or {}), {}
    bundle = spikes
    kept = dict(bundle[KEPT]) if isinstance(bundle, dict) and KEPT in bundle else {}
    name = trials if isinstance(trials, str) else "trials"
    if isinstance(trials, str) or (trials is None and name in bundle):
        trials = _entry(bundle, name)
    others = [key for key in bundle if key not in ("units", name, KEPT)]
    if isinstance(behavior, Mapping):
        return bundle["units"], trials, dict(behavior), kept
    wanted = behavior
    if wanted is None:
        whole = isinstance(bundle, dict)
        wanted = [key for key in others if whole and _is_series(bundle[key])]
    left = [key for key in others if key not in list(wanted)]
    if left:
        warn(
            f"not taken: {named(left)}; name series and events to take with behavior=[...], "
            "other trials with trials='...'."
        )
    return bundle["units"], trials, {str(key): _entry(bundle, key) for key in wanted}, kept


def _entry(bundle: Mapping[str, Any], name: str) -> Any:
    if name not in bundle:
        message = f"there is no {name!r}; there are {named(bundle.keys(), 20)}."
        raise TensorError(message)
    return bundle[name]


def _neurons(spikes: Any) -> tuple[list[np.ndarray], list[Any], Any, dict[str, Any]]:
    """Spike times and time support of each neuron, their ids, and their columns."""
    if _is_series(spikes):
        spikes = {0: spikes}
    inside = isinstance(spikes, Mapping)
    strange = [x for x in (spikes.values() if inside else [spikes]) if not _is_series(x)]
    if strange or not inside:
        where = " (in a mapping)" if inside else ""
        message = f"expected {_ACCEPTED}. Found {type(strange[0]).__name__}{where}."
        raise TensorError(message)
    members = list(spikes.values())
    columns = metadata_of(spikes)
    columns.pop("rate", None)
    ids = ids_of(columns, "neuron", np.array(_plain_keys(list(spikes.keys()))))
    trains = [np.asarray(train.t, dtype=np.float64).ravel() for train in members]
    return trains, [train.time_support for train in members], ids, columns


def _plain_keys(keys: list[Any]) -> list[Any]:
    numbers = all(isinstance(key, (int, np.integer)) for key in keys)
    return [int(key) if numbers else str(key) for key in keys]


def _attrs(kept: Mapping[str, Any], source_id: str | None) -> dict[str, Any]:
    before = {k: v for k, v in dict(kept.get("attrs", {})).items() if k not in _LOST_ATTRS}
    attrs = {"source": "recording", "source_id": "pynapple", **before}
    if source_id is not None:
        attrs["source_id"] = source_id.replace("/", "_")
    return attrs


def _series(name: str, series: Any, said: dict[str, Any]) -> Series:
    if not _is_series(series):
        message = f"behavior {name!r} must be a Tsd, TsdFrame or Ts; found {type(series).__name__}."
        raise TensorError(message)
    # A Ts has no values: in pynapple neither `d` nor `values`.
    values = getattr(series, "values", None)
    kind = str(said.get("kind", "events" if values is None else "series"))
    words = {k: str(said[k]) for k in ("units", "description", "path") if k in said}
    if values is not None and np.ndim(values) > 2:
        message = (
            f"behavior {name!r} has values of shape {np.shape(values)} (a TsdTensor); popdyn takes "
            "one value or one row of channels per time."
        )
        raise TensorError(message)
    channels = getattr(series, "columns", None)
    stored = str(said.get("file_name", said.get("name", name)))
    return as_series(
        stored, series.t, values, kind=kind, channels=channels,
        period=float(said.get("period", 0.0)), **words,
    )  # fmt: skip
