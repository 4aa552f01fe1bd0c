"""The tables of a TOML file, read, written and checked against a model."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from popdyn.comparison.fields import Table
from popdyn.comparison.refusal import explain, nearest_file
from popdyn.errors import SpecError

Checked = TypeVar("Checked", bound=Table)


@dataclass(frozen=True)
class Tables:
    """The tables of a TOML file: data, text, name for messages, folder of relative paths."""

    data: dict[str, Any]
    text: str
    name: str
    folder: Path

    def checked(self, model: type[Checked]) -> Checked:
        """Check the tables against a model.

        Raises
        ------
        SpecError
            In plain words, with the key and the nearest right one.
        """
        try:
            return model.model_validate(self.data, context={"folder": self.folder})
        except ValidationError as error:
            message = f"{self.name}: {explain(error, model, self.data)}"
            raise SpecError(message) from None


def read_tables(spec: str | Path | Mapping[str, Any]) -> Tables:
    """Read a TOML file, or take a mapping for one in the current folder.

    Raises
    ------
    SpecError
        If the file is missing, a folder, or no TOML.
    """
    if isinstance(spec, Mapping):
        return Tables(dict(spec), toml_text(spec), "the spec", Path())
    path = Path(spec)
    text = _read(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = f"{path.name} is not valid TOML: {error}"
        raise SpecError(message) from error
    return Tables(data, text, path.name, path.parent)


def toml_text(tables: Mapping[str, Any]) -> str:
    """Write tables as TOML, one key a line, with whatever is nested written inline.

    Examples
    --------
    >>> from popdyn.comparison.tables import toml_text
    >>> print(toml_text({"seed": 1, "conditions": {"by": ["choice"]}}))
    seed = 1
    conditions = {by = ["choice"]}
    """
    return "\n".join(f"{_key(key)} = {_value(value)}" for key, value in tables.items())


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isalnum() and bare.isascii() else _quoted(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return _quoted(str(value))


def _quoted(text: str) -> str:
    # JSON and TOML quote alike, but for one control character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        message = f"no spec file at {path}; {nearest_file(path)}"
    except IsADirectoryError:
        message = f"{path} is a folder; expected a spec, a TOML file: {nearest_file(path / '*')}"
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read as text ({error}); expected a spec, a TOML file"
    raise SpecError(message)
