"""Tables of a spec that are handed to a function: their keys are the function's arguments."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from popdyn import network, tasks
from popdyn.comparison.refusal import nearest_name
from popdyn.comparison.source_spec import Model
from popdyn.errors import SpecError
from popdyn.network.kinds import Network
from popdyn.simulation.observe import observe
from popdyn.simulation.run import simulate
from popdyn.tasks.registry import TASKS
from popdyn.train.backprop import backprop
from popdyn.train.force import force
from popdyn.train.full_force import full_force
from popdyn.train.reservoir import reservoir
from popdyn.train.target_network import target_network

# By what a network may be trained.
RULES: dict[str, Callable[..., Any]] = {
    "reservoir": reservoir,
    "force": force,
    "full_force": full_force,
    "backprop": backprop,
}
DEFAULT_RULE = "reservoir"

KINDS: dict[str, type[Network]] = {
    "rate": network.Rate,
    "spiking": network.Spiking,
    "low_rank": network.LowRank,
}
# Which networks a rule takes, where it does not take all but those of low rank.
_TAKES = {"backprop": ("rate", "low_rank")}
_OTHERS = ("rate", "spiking")

# Fields that `Spiking.random` hands on; numbers, as weights are drawn.
_CONSTANTS = (
    "tau_membrane", "tau_fast", "tau_slow", "threshold", "reset", "rest", "refractory", "delay",
    "dt",
)  # fmt: skip
_SPIKING = {**dict.fromkeys(_CONSTANTS, float), "unit": str}


def check_model(source: Model, where: str = "") -> None:
    """Refuse a network source whose tables its functions do not know.

    Parameters
    ----------
    source : Model
        A source of kind "network", or the tables that describe one.
    where : str
        Path of the tables in the spec, ending in a dot, for the message.

    Raises
    ------
    SpecError
        If the task is unknown, or a key or the type of a value does not fit the function that
        the table is handed to.

    Examples
    --------
    >>> from popdyn.comparison.arguments import check_model
    >>> from popdyn.comparison.source_spec import Model
    >>> task = {"name": "PerceptualDecision", "stimulus": [-1, 1]}
    >>> check_model(Model(network={"n_neurons": 50}, task=task))
    Traceback (most recent call last):
        ...
    popdyn.errors.SpecError: unknown key 'task.stimulus'; did you mean 'stimuli'? ...
    """
    if source.task.name not in TASKS:
        hint = nearest_name(source.task.name, sorted(TASKS))
        message = f"'{where}task.name': there is no task {source.task.name!r}; {hint}"
        raise SpecError(message)
    task: Callable[..., Any] = getattr(tasks, source.task.name)
    _check_network(source, where)
    check_arguments(source.task.parameters, task, f"{where}task", set())
    if source.train is not None:
        _check_training(source.train, f"{where}train")
        _check_rule(source, where)
    given = {"net", "trials", "rng", "record", "duration", "task", "path"}
    extra = {"n_trials": int}
    check_arguments(source.simulate, simulate, f"{where}simulate", given, extra)
    if source.observe is not None:
        check_arguments(source.observe, observe, f"{where}observe", {"sim", "rng"})


def _check_network(source: Model, where: str) -> None:
    """Refuse arguments that the network's kind does not have."""
    kind = source.network.get("kind", "rate")
    if kind not in KINDS:
        message = f"'{where}network.kind': there is no kind {kind!r}; "
        raise SpecError(message + nearest_name(str(kind), sorted(KINDS)))
    for key in ("n_inputs", "n_outputs"):
        if key in source.network:
            message = f"'{where}network.{key}' comes from the task, which sets it: leave it out"
            raise SpecError(message)
    saved = "path" in source.network
    build: Callable[..., Any] = _saved_network if saved else KINDS[kind].random
    extra = {} if saved else {"kind": str, **(_SPIKING if kind == "spiking" else {})}
    given = {"rng", "n_inputs", "n_outputs", "constants"}
    check_arguments(source.network, build, f"{where}network", given, extra)


def _check_training(table: Mapping[str, Any], where: str) -> None:
    """Refuse a rule that there is not, and arguments that it does not take."""
    name = table.get("rule", DEFAULT_RULE)
    if name not in RULES:
        hint = nearest_name(str(name), list(RULES))
        message = f"'{where}.rule': there is no rule {name!r}; {hint}"
        raise SpecError(message)
    given = {"net", "task", "rng", "checkpoint"}
    known = {rule: set(inspect.signature(learn).parameters) for rule, learn in RULES.items()}
    for key in table:
        others = [rule for rule in RULES if key in known[rule] - given]
        if others and name not in others:
            message = (
                f"'{where}.{key}' is an argument of the rule {' and '.join(others)}, found rule "
                f"{name!r}: say rule = {others[0]!r}, or leave {key!r} out"
            )
            raise SpecError(message)
    extra: dict[str, Any] = {"rule": str}
    if "target" in known[name]:
        extra["target"] = dict
    check_arguments(table, RULES[name], where, given, extra)
    if "target" in table:
        own = {"task", "dt", "rng"}
        check_arguments(table["target"], target_network, f"{where}.target", own)


def _check_rule(source: Model, where: str) -> None:
    """Refuse a rule that does not take networks of the kind."""
    if "path" in source.network:
        return
    kind = source.network.get("kind", "rate")
    name = str((source.train or {}).get("rule", DEFAULT_RULE))
    if kind not in _TAKES.get(name, _OTHERS):
        fitting = [rule for rule in RULES if kind in _TAKES.get(rule, _OTHERS)]
        said = (
            f"found rule {name!r}" if "rule" in (source.train or {}) else f"without, it is {name!r}"
        )
        message = (
            f"'{where}train.rule': a network of kind {kind!r} is trained by "
            f'{" or ".join(map(repr, fitting))}, {said}: say rule = "{fitting[0]}"'
        )
        raise SpecError(message)


def _saved_network(path: object) -> None:
    """Stand for a network that is loaded: the only key is its path."""


def check_arguments(
    table: Mapping[str, Any],
    function: Callable[..., Any],
    where: str,
    given: set[str],
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Refuse keys and values that a function would not take.

    Parameters
    ----------
    table : mapping
        The table of the spec.
    function : callable
        What it is handed to.
    where : str
        Path of the table, for the message.
    given : set of str
        Arguments that the comparison itself gives.
    extra : mapping of str to type, optional
        Keys that are not arguments of the function.

    Raises
    ------
    SpecError
        Naming the key, the nearest right one, or what was expected in its place.
    """
    hints = {**typing.get_type_hints(function), **(extra or {})}
    names = [*(extra or {}), *(n for n in inspect.signature(function).parameters if n not in given)]
    for key, value in table.items():
        if key not in names:
            message = f"unknown key '{where}.{key}'; {nearest_name(key, names)}"
            raise SpecError(message)
        if not _fits(hints.get(key, Any), value):
            expected = getattr(hints[key], "__name__", str(hints[key]))
            message = f"'{where}.{key}' should be {_WORDS.get(expected, expected)}, found {value!r}"
            raise SpecError(message)


_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "dict": "a table",
}


def _fits(hint: Any, value: Any) -> bool:
    """Tell whether a value is of a type; types that TOML cannot hold are left to the function."""
    if hint in (int, float) and isinstance(value, (str, bool)):
        return False
    try:
        TypeAdapter(hint, config=None if _is_model(hint) else ConfigDict()).validate_python(value)
    except ValidationError:
        return False
    except (PydanticSchemaGenerationError, PydanticUserError):
        return True
    return True


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and hasattr(hint, "__pydantic_config__")
