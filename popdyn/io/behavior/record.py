"""What is known of one series of a file, and how lists of them are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_MOST_SERIES = 12


@dataclass(frozen=True)
class SeriesSummary:
    """One series or list of events: samples, channels, rate (Hz), span (s), units of its values.

    ``rate`` is None where samples come at no regular times, ``start`` and ``stop`` where they
    were not read.  ``problem`` says why it cannot be read, ``why_not`` why it is not offered as
    behavior, ``notes`` what looks wrong.
    """

    name: str
    path: str
    type: str
    kind: str
    n_samples: int
    n_channels: int
    rate: float | None
    units: str
    start: float | None
    stop: float | None
    description: str
    notes: tuple[str, ...] = ()
    problem: str = ""
    why_not: str = ""

    def __str__(self) -> str:
        """Return a line such as ``position (2 channels, 50 Hz, 0-2400 s, m)``."""
        noun = "events" if self.kind == "events" else "samples"
        parts = [f"{self.n_channels} {'kinds' if self.kind == 'events' else 'channels'}"]
        parts = parts if self.n_channels > 1 else []
        parts.append(
            f"{self.rate:.4g} Hz" if self.rate is not None else f"{self.n_samples:,} {noun}"
        )
        if self.start is not None:
            parts.append(f"{self.start:.5g}-{self.stop:.5g} s")
        if self.kind == "series":
            parts.append(self.units if self.units != "unknown" else "no units")
        return f"{self.name} ({', '.join(parts)})"


def series_variables(series: tuple[SeriesSummary, ...]) -> dict[str, Any]:
    """Return the variables of a Dataset that lists series, along ``series_index``."""
    seconds = {"units": "s", "clock": "session"}
    dim = "series_index"

    def words(values: list[str]) -> tuple[str, np.ndarray]:
        return dim, np.array(values, dtype=np.str_)

    return {
        "series": words([one.name for one in series]),
        "series_path": words([one.path for one in series]),
        "series_kind": words([one.kind for one in series]),
        "series_units": words([one.units for one in series]),
        "n_samples": (dim, np.array([one.n_samples for one in series], dtype=np.int64)),
        "n_channels": (dim, np.array([one.n_channels for one in series], dtype=np.int64)),
        "sampling_rate": (
            dim,
            np.array([one.rate for one in series], dtype=float),
            {"units": "Hz"},
        ),
        "series_start": (dim, np.array([one.start for one in series], dtype=float), seconds),
        "series_stop": (dim, np.array([one.stop for one in series], dtype=float), seconds),
        "is_behavior": (dim, np.array([not one.why_not for one in series], dtype=bool)),
    }


def series_rows(series: tuple[SeriesSummary, ...]) -> list[tuple[str, ...]]:
    """Return label and line of each series of behavior and of events; of many only the first."""
    rows: list[tuple[str, ...]] = []
    for label, kind in (("behavior", "series"), ("events", "events")):
        own = [one for one in series if one.kind == kind and not one.why_not and not one.problem]
        rows += [(label, str(one)) for one in own[:_MOST_SERIES]]
        if len(own) > _MOST_SERIES:
            names = ", ".join(one.name for one in own[_MOST_SERIES:][:_MOST_SERIES])
            rows.append((label, f"and {len(own) - _MOST_SERIES} more: {names}"))
    first = next((row[1].split(" (")[0] for row in rows), "")
    how = f"pdn.read_session(..., behavior=[{first!r}]), then pdn.align_behavior"
    return [*rows, ("", how)] if rows else []
