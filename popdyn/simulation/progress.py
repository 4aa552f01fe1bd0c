"""A progress bar for people who wait: on a terminal, after two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Work shorter than this (s) shows no bar.
PATIENCE = 2.0


def watched(items: Iterable[T], n_items: int, text: str) -> Iterator[T]:
    """Pass items on; show a bar on stderr if that is a terminal and they take over 2 s.

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
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    started = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, disable=True) as progress:
        bar = progress.add_task(text, total=n_items)
        for item in items:
            if progress.disable and time.monotonic() - started > PATIENCE:
                progress.disable = False
                progress.start()
            progress.advance(bar)
            yield item
