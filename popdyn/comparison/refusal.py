"""Refuse a spec in plain words: where, what was found, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_EXPECTED = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "string_pattern_mismatch": "made of letters, digits, spaces and _ . - (it names files)",
}
_FOUND = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    dict: "a table",
}


def explain(error: ValidationError, model: type[BaseModel], data: Any) -> str:
    """Say in one line what is wrong with a spec.

    Parameters
    ----------
    error : pydantic.ValidationError
        What the check of the spec found.
    model : type
        The model that was checked: it knows the right keys.
    data : mapping
        The tables as they were given: they know the ids of the sources.

    Returns
    -------
    str
        The first problem in full, and where the others are.
    """
    # A key that is missing is often one that was misspelled: that is said first.
    problems = sorted(_real(error.errors()), key=lambda one: one["type"] != "extra_forbidden")
    first = problems[0]
    line = _sentence(first, _without_tag(first["loc"], data), model, data)
    others = [f"'{_path(_without_tag(one['loc'], data), data)}'" for one in problems[1:]]
    return line + (f" (also to put right: {', '.join(others)})" if others else "")


def nearest_name(name: str, known: Sequence[str]) -> str:
    """Say which of the known names was probably meant, and which there are.

    Examples
    --------
    >>> from popdyn.comparison.refusal import nearest_name
    >>> nearest_name("n_component", ["n_components", "n_draws"])
    "did you mean 'n_components'? Known: n_components, n_draws"
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    listed = "nown: " + ", ".join(known)
    return f"did you mean {close[0]!r}? K{listed}" if close else f"k{listed}"


def nearest_file(path: Path) -> str:
    """Say which existing file is nearest to one that is not there."""
    folder = path.parent
    if not folder.is_dir():
        while not folder.is_dir():
            folder = folder.parent
        return f"its folder does not exist either, the nearest that does is {folder}"
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    if close:
        return f"the nearest file there is {close[0]}"
    alike = [name for name in names if Path(name).suffix == path.suffix] or names
    return f"that folder holds {', '.join(alike[:5])}" if alike else "that folder is empty"


def _sentence(problem: Any, loc: tuple[Any, ...], model: type[BaseModel], data: Any) -> str:
    """Say what is wrong with a key, a kind of source, or (most often) a value."""
    kind, context = problem["type"], problem.get("ctx", {})
    where = _path(loc, data)
    if kind == "extra_forbidden":
        return f"unknown key '{where}'; {nearest_name(str(loc[-1]), _known(loc, model, data))}"
    if kind == "missing":
        return f"the key '{where}' is missing"
    if kind == "union_tag_not_found":
        return f"'{where}' has no 'kind': write kind = \"recording\" (or another kind of source)"
    if kind == "union_tag_invalid":
        kinds = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        hint = nearest_name(str(context["tag"]), kinds)
        return f"'{where}.kind' is {context['tag']!r}, which is no kind of source: {hint}"
    if kind == "value_error":
        return f"'{where}': {context['error']}" if loc else str(context["error"])
    if kind == "no_file":
        return f"'{where}' {problem['msg']}"
    value = problem["input"]
    found = f"found {value!r} ({_FOUND.get(type(value), type(value).__name__)})"
    return f"'{where}' {_expectation(problem)}, {found}"


def _expectation(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "expected":
        return str(problem["msg"])
    if kind in _EXPECTED:
        return f"should be {_EXPECTED[kind]}"
    if kind == "greater_than":
        return f"should be more than {context['gt']:g}"
    if kind == "less_than":
        return f"should be less than {context['lt']:g}"
    if kind == "greater_than_equal":
        return f"should be at least {context['ge']:g}"
    if kind == "too_short":
        return f"should hold at least {context['min_length']}"
    return f"is not accepted ({problem['msg']})"


def _real(problems: Sequence[Any]) -> list[Any]:
    """Leave out "too short" for a list that is only short because its items were refused."""
    return [
        problem
        for problem in problems
        if problem["type"] != "too_short"
        or not any(
            other is not problem and other["loc"][: len(problem["loc"])] == problem["loc"]
            for other in problems
        )
    ]


def _without_tag(loc: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    """Leave out the kind of the source, which pydantic puts into the path of its keys."""
    if len(loc) > 2 and loc[0] == "source" and loc[2] == _at(data, (*loc[:2], "kind")):
        return (*loc[:2], *loc[3:])
    return loc


def _at(data: Any, loc: Sequence[Any]) -> Any:
    for part in loc:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _path(loc: Sequence[Any], data: Any) -> str:
    """Write a path as in ``source["network"].observe.n_neurons``; lists count from one."""
    words = ""
    for depth, part in enumerate(loc):
        if isinstance(part, int):
            item = _at(data, loc[: depth + 1])
            name = item.get("id") if isinstance(item, Mapping) else None
            words += f'["{name}"]' if isinstance(name, str) else f"[{part + 1}]"
        else:
            words += f".{part}" if words else str(part)
    return words


def _known(loc: Sequence[Any], model: type[BaseModel], data: Any) -> list[str]:
    """List the keys of the table that the last part of the path should be one of."""
    current: Any = model
    for depth, part in enumerate(loc[:-1]):
        models = _models(current)
        if isinstance(part, int) or not models:
            continue
        table = _at(data, loc[:depth])
        kind = table.get("kind") if isinstance(table, Mapping) else None
        fields = _pick(models, kind).model_fields
        by_alias = {field.alias or name: field for name, field in fields.items()}
        if part in by_alias:
            current = by_alias[part].annotation
    models = _models(current)
    if not models:
        return []
    parent = _at(data, loc[:-1])
    kind = parent.get("kind") if isinstance(parent, Mapping) else None
    return [field.alias or name for name, field in _pick(models, kind).model_fields.items()]


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Find every model in an annotation, however it is wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _pick(models: Sequence[type[BaseModel]], kind: Any) -> type[BaseModel]:
    for model in models:
        field = model.model_fields.get("kind")
        if field is not None and kind in get_args(field.annotation):
            return model
    return models[0]
