"""Say how far long work is: a bar on the terminal, if it takes more than a moment."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

# Shorter work is over before a bar could be read.
PATIENCE = 2.0
# A step of work that has a bar shows none of its own.
_covered: ContextVar[bool] = ContextVar("covered", default=False)


class Progress:
    """A progress bar on stderr that appears after two seconds, on a terminal only.

    Parameters
    ----------
    total : int
        Number of steps.
    text : str
        What is being done.
    enabled : bool
        False shows nothing, here and in the steps.

    Examples
    --------
    >>> from popdyn.progress import Progress
    >>> with Progress(2, "comparing", enabled=False) as progress:
    ...     progress.step("reading")
    """

    def __init__(self, total: int, text: str, *, enabled: bool = True) -> None:
        # rich is slow to import, and only wanted here.
        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        self._shown = enabled and console.is_terminal and not _covered.get()
        self._bar = Bar(console=console, transient=True, disable=not self._shown)
        self._task = self._bar.add_task(text, total=total)
        self._timer = threading.Timer(PATIENCE, self._bar.start)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Start waiting."""
        self._token = _covered.set(True)
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
        _covered.reset(self._token)
        self._timer.cancel()
        if self._shown:
            self._bar.stop()

    def step(self, words: str | None = None, n_steps: int = 1) -> None:
        """Count steps as done, and say what they were."""
        if words is None:
            self._bar.advance(self._task, n_steps)
        else:
            self._bar.update(self._task, advance=n_steps, description=words)


def watched(items: Iterable[T], n_items: int, text: str) -> Iterator[T]:
    """Pass items on, with a progress bar as long as they last.

    Parameters
    ----------
    items : iterable
        What to pass on; the time between two of them is the work.
    n_items : int
        Number of items.
    text : str
        What is being done.

    Yields
    ------
    object
        The items.
    """
    bar = Progress(n_items, text)
    if not bar._shown:
        yield from items
        return
    with bar:
        for item in items:
            bar.step()
            yield item
