"""What a subject of the benchmarks hands to the runner."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bar:
    """A figure to reach: `value` must be at most, or at least, `limit`."""

    text: str
    value: float
    limit: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the figure was reached."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def row(self) -> dict[str, object]:
        """The bar as the results file keeps it."""
        return {"text": self.text, "value": self.value, "limit": self.limit, "met": self.met}


@dataclass
class Outcome:
    """Rows of the table, bars, and remarks (a peer that was skipped, counts that differ)."""

    subject: str
    rows: list[dict[str, object]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
