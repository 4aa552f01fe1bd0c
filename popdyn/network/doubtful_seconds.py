"""Durations of networks that look like milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from popdyn.errors import warn

# Seconds from which a duration is more likely to be one of milliseconds.
_LONG_TIME_CONSTANT = 5.0
_LONG_PAUSE = 0.5
_PAUSES = ("dt", "refractory", "delay")
_SAID = ContextVar("_SAID", default=False)


@contextmanager
def doubted_before() -> Iterator[None]:
    """Keep quiet about networks that are made again from one that was doubted when it was made."""
    token = _SAID.set(True)
    try:
        yield
    finally:
        _SAID.reset(token)


def doubt_seconds(durations: Mapping[str, Any]) -> None:
    """Warn once of all durations that look like milliseconds; they are used as they are.

    Parameters
    ----------
    durations : mapping
        Seconds by name, one for all neurons or one each.
    """
    if _SAID.get():
        return
    longest = {name: float(np.max(values)) for name, values in durations.items()}
    doubtful = [
        f"{name}={value:g}"
        for name, value in longest.items()
        if value >= (_LONG_PAUSE if name in _PAUSES else _LONG_TIME_CONSTANT)
    ]
    if doubtful:
        warn(
            f"{', '.join(doubtful)}: these durations are in seconds and look like milliseconds "
            "(100 ms is 0.1); if so, divide them by 1000. They are used as they are"
        )
