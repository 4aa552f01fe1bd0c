"""What a subject of the benchmarks hands to the runner."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bar:
    """A figure to reach: `value` must be at most, or at least, `limit`.

    Where that is known not to happen, `why` says what stands in the way.
    """

    text: str
    value: float
    limit: float
    at_most: bool = True
    why: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure was reached."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def row(self) -> dict[str, object]:
        """The bar as the results file keeps it."""
        return {**asdict(self), "met": self.met}

    def line(self) -> str:
        """The bar as people read it."""
        relation = "at most" if self.at_most else "at least"
        text = f"{self.text}: {self.value:.4g} (bar: {relation} {self.limit:g})"
        if self.met:
            return f"{text}: met"
        missed = f"{text}: **missed** by {abs(self.value / self.limit - 1):.0%}"
        return f"{missed}: {self.why}" if self.why else missed


@dataclass
class Outcome:
    """Rows of the table, bars, and remarks (a peer that was skipped, counts that differ)."""

    subject: str
    rows: list[dict[str, object]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """The subject as the results file keeps it."""
        return {**vars(self), "bars": [bar.row() for bar in self.bars]}

    @classmethod
    def kept(cls, record: dict[str, Any]) -> Outcome:
        """The subject from the results file."""
        bars = [Bar(**{k: v for k, v in bar.items() if k != "met"}) for bar in record["bars"]]
        return cls(record["subject"], record["rows"], bars, record["remarks"])
