"""Kinds of values a comparison spec holds, each refused in plain words when it is not one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo
from pydantic_core import PydanticCustomError

from popdyn.comparison.refusal import nearest_file
from popdyn.io.remote import is_address
from popdyn.io.tree.zarr_files import is_zarr

Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Strict(), Field(ge=1)]
Flag = Annotated[bool, Strict()]


def _size(value: Any) -> Any:
    """Accept a whole number of at least one, or the word "smallest"."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value == "smallest" or whole:
        return value
    words = 'should be "smallest" or a whole number of 1 or more'
    raise _expected(words)


def _plain(value: Any) -> Any:
    """Accept text, a number, or true or false."""
    if isinstance(value, (str, int, float)):
        return value
    words = "should be text, a number, or true or false"
    raise _expected(words)


def _ridge(value: Any) -> Any:
    """Accept a number of at least zero, or the word "cv"."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value == "cv" or (number and math.isfinite(value) and value >= 0):
        return value
    words = 'should be "cv" or a number of 0 or more'
    raise _expected(words)


def _regressors(value: Any) -> Any:
    """Accept a column or formula, or a list of columns."""
    if _is_list(value) and value and all(isinstance(one, str) for one in value):
        return tuple(value)
    if isinstance(value, str) and value.strip():
        return value
    words = "should be a list of columns, or one column or formula in text"
    raise _expected(words)


def _window(value: Any) -> Any:
    """Accept the two ends of a window, the earlier first."""
    ends = [one for one in value if isinstance(one, (int, float))] if _is_list(value) else []
    if len(ends) == 2 == len(value) and all(map(math.isfinite, ends)) and ends[0] < ends[1]:
        return tuple(float(one) for one in ends)
    words = "should be two times in s, the earlier first"
    raise _expected(words)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _expected(words: str) -> PydanticCustomError:
    kind = "expected"
    return PydanticCustomError(kind, words)


def _listed(value: Any) -> Any:
    """Read one name as a list of one."""
    return (value,) if isinstance(value, str) else value


def existing_file(value: Any, info: ValidationInfo) -> Any:
    """Resolve a path against the spec's folder, and refuse one that leads nowhere."""
    if not isinstance(value, (str, Path)):
        words = "should be text: the path of a file"
        raise _expected(words)
    folder = Path((info.context or {}).get("folder", "."))
    path = (folder / Path(value).expanduser()).resolve()
    if path.is_file():
        return path
    reason = "leads to a folder" if path.is_dir() else "leads to no file"
    kind = "no_file"
    words = "{reason}: '{given}' was looked for as {path}; {nearest}"
    found = {"given": str(value), "path": str(path), "nearest": nearest_file(path)}
    raise PydanticCustomError(kind, words, {"reason": reason, **found})


def existing_recording(value: Any, info: ValidationInfo) -> Any:
    """Resolve the path of a recording, which may be a Zarr store (a folder) or an address."""
    if isinstance(value, (str, Path)):
        if is_address(value):
            return Path(value)
        folder = Path((info.context or {}).get("folder", "."))
        path = (folder / Path(value).expanduser()).resolve()
        if path.is_dir() and is_zarr(path):
            return path
    return existing_file(value, info)


Size = Annotated[Literal["smallest"] | int, BeforeValidator(_size)]
CrossValidated = Annotated[Literal["cv"] | float, BeforeValidator(_ridge)]
Regressors = Annotated[str | tuple[str, ...], BeforeValidator(_regressors)]
Window = Annotated[tuple[float, float], BeforeValidator(_window)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
File = Annotated[Path, BeforeValidator(existing_file)]
RecordingFile = Annotated[Path, BeforeValidator(existing_recording)]
Plain = Annotated[str | bool | int | float, BeforeValidator(_plain)]
Selection = dict[str, Any]


class Table(BaseModel):
    """A table of the spec: nothing unknown is accepted, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)
