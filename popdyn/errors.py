"""What can go wrong: every error popdyn raises on purpose, and its one warning."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).parent)


class PopdynError(Exception):
    """Base of all popdyn errors: the message says what was expected, found, and what to do."""


class TensorError(PopdynError, ValueError):
    """An array or table that does not keep the data contract."""


class SourceError(PopdynError, ValueError):
    """A file that cannot be read, or lacks what is needed."""


class SpecError(PopdynError, ValueError):
    """A comparison spec (TOML) that cannot be run as written."""


class FitError(PopdynError, RuntimeError):
    """A fit that failed, or a question the data cannot support."""


class PopdynWarning(UserWarning):
    """Something in the data that changes what a number means; nothing was changed silently."""


def warn(message: str) -> None:
    """Warn with a `PopdynWarning` that points at the user's line, however deep the cause is."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, PopdynWarning, stacklevel=level)


def _is_ours(frame: FrameType) -> bool:
    """Whether a frame is popdyn's, or of the code that makes and replaces our records."""
    file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
    generated = file == "<string>" and module.startswith("popdyn.")
    return generated or file.startswith(_PACKAGE) or module == "dataclasses"
