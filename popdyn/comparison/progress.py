"""Say how far a comparison is, on the terminal, if it takes more than a moment."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

# Shorter work is over before a bar could be read.
PATIENCE = 2.0


class Progress:
    """A progress bar on stderr that appears after two seconds, on a terminal only.

    Parameters
    ----------
    total : int or None
        Number of steps, if it is known.
    enabled : bool
        False never shows anything.

    Examples
    --------
    >>> from popdyn.comparison.progress import Progress
    >>> with Progress(2, enabled=False) as progress:
    ...     progress.step("reading")
    """

    def __init__(self, total: int | None, *, enabled: bool = True) -> None:
        # rich is slow to import, and only wanted here.
        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        shown = enabled and console.is_terminal
        self._bar = Bar(console=console, transient=True, disable=not shown)
        self._task = self._bar.add_task("starting", total=total)
        self._timer = threading.Timer(PATIENCE, self._bar.start)
        self._timer.daemon = True
        self._shown = shown

    def __enter__(self) -> Self:
        """Start waiting."""
        if self._shown:
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away, also after an error or Ctrl-C."""
        self._timer.cancel()
        if self._shown:
            self._bar.stop()

    def step(self, words: str) -> None:
        """Count one step as done, and say what it was."""
        self._bar.update(self._task, advance=1, description=words)
