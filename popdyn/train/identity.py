"""What makes a training this one and no other, in words that hold in another process too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from popdyn.tasks import Task
from popdyn.tensor.result import as_json, digest

# Trials of a task of one's own that are looked at, and how deep its attributes are.
_N_SHOWN, _DEPTH = 4, 4
# Differences that are said, and letters of each value.
_MOST, _LONGEST = 4, 60


def is_own(task: Task) -> bool:
    """Tell whether a task is none of popdyn's, whose trials say all of their parameters."""
    return type(task).__module__.partition(".")[0] != "popdyn"


def own_task(task: Task, dt: float) -> dict[str, Any]:
    """Describe a task of one's own by what can be seen of it.

    Parameters
    ----------
    task : Task
        Any object that gives trials.
    dt : float
        Step in seconds.

    Returns
    -------
    dict
        Name of its ``class``, its public ``attributes``, and a digest of ``trials`` that it gives.
    """
    attributes = _visible(task, _DEPTH)
    trials = task.sample(_N_SHOWN, 0, dt=dt)
    says = {key: trials.attrs[key] for key in ("task", "parameters") if key in trials.attrs}
    return {
        "class": type(task).__qualname__,
        "attributes": attributes,
        **says,
        "trials": digest(trials),
    }


def rule_words(rule: Callable[..., Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of a rule, and the keywords that a `functools.partial` of it holds."""
    if isinstance(rule, partial):
        name, arguments = rule_words(rule.func)
        words = f"{name}{as_json([_visible(one, _DEPTH) for one in rule.args])}"
        return words if rule.args else name, {**arguments, **rule.keywords}
    return str(getattr(rule, "__name__", type(rule).__name__)), {}


def training_words(rule: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Write down what a training is, networks by content.

    Parameters
    ----------
    rule : function
        That trains.
    arguments : mapping
        Of the rule; among them, or held by a partial rule, ``net`` and ``task``.

    Returns
    -------
    str
        JSON, the same in every process.
    """
    name, held = rule_words(rule)
    given = {**held, **arguments}
    told = {
        key: digest(value.to_dataset()) if hasattr(value, "to_dataset") else value
        for key, value in given.items()
    }
    task = given["task"]
    words = own_task(task, given["net"].dt) if is_own(task) else repr(task)
    return as_json({"rule": name, **told, "task": words})


def differences(found: Any, wanted: Any) -> str:
    """Say where two descriptions differ: the keys, and both values at the place.

    Parameters
    ----------
    found, wanted : mapping or JSON text
        What was stored, and what is asked for.

    Returns
    -------
    str
        Nothing if they are equal.

    Examples
    --------
    >>> differences({"seed": "3", "task": {"sines": [2, 1]}}, {"seed": "3", "task": {"sines": [2]}})
    'task.sines: [2, 1], now [2]'
    """
    pairs = list(_pairs("", json.loads(as_json(found)), json.loads(as_json(wanted))))
    more = f"; and {len(pairs) - _MOST} more" if len(pairs) > _MOST else ""
    return "; ".join(f"{key}: {old}, now {new}" for key, old, new in pairs[:_MOST]) + more


def _pairs(key: str, found: Any, wanted: Any) -> Iterator[tuple[str, str, str]]:
    """Give the keys under which two values differ, with the words of both."""
    found, wanted = _read(found), _read(wanted)
    if json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True):
        return
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in {**found, **wanted}:
            place = f"{key}.{name}" if key else str(name)
            yield from _pairs(place, found.get(name, "none"), wanted.get(name, "none"))
        return
    yield key or "training", *_around(_text(found), _text(wanted))


def _read(value: Any) -> Any:
    """Read text that is JSON of more than one value."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _around(found: str, wanted: str) -> tuple[str, str]:
    """Cut two texts to where they differ."""
    if max(len(found), len(wanted)) <= _LONGEST:
        return found, wanted
    letters = enumerate(zip(found, wanted, strict=False))
    first = next((at for at, (one, two) in letters if one != two), min(len(found), len(wanted)))
    # From the name of the argument, if it is near.
    names = [match.start() for match in re.finditer(r"\w+=", wanted[:first])]
    near = first - _LONGEST // 2
    start = max(names[-1] if names else 0, near, 0)
    return _cut(found, start), _cut(wanted, start)


def _cut(text: str, start: int) -> str:
    before, after = "…" * (start > 0), "…" * (len(text) > start + _LONGEST)
    return f"{before}{text[start : start + _LONGEST]}{after}"


def _visible(value: Any, depth: int) -> Any:
    """Describe a value without addresses in memory."""
    if value is None or isinstance(value, (bool, int, float, str, np.generic)):
        return value
    if isinstance(value, np.ndarray):
        return digest(xr.DataArray(value)) if value.dtype.kind != "O" else value.shape
    if isinstance(value, (xr.DataArray, xr.Dataset)):
        return digest(value)
    if hasattr(value, "to_dataset"):
        return digest(value.to_dataset())
    if depth == 0:
        return type(value).__qualname__
    if isinstance(value, Mapping):
        return {str(key): _visible(one, depth - 1) for key, one in value.items()}
    if isinstance(value, (Sequence, set, frozenset)):
        parts = [_visible(one, depth - 1) for one in value]
        return parts if isinstance(value, Sequence) else sorted(parts, key=str)
    if callable(value) and hasattr(value, "__qualname__"):
        return value.__qualname__
    public = {
        key: _visible(one, depth - 1)
        for key, one in getattr(value, "__dict__", {}).items()
        if not key.startswith("_")
    }
    return {"class": type(value).__qualname__, **public}
