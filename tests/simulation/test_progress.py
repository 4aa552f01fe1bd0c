"""A bar for people who wait, and for nobody else."""

from __future__ import annotations

import io
import sys

import pytest

from popdyn.simulation.progress import watched


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "patience"), [(io.StringIO, 0.0), (Terminal, 100.0)])
def test_files_and_short_work_see_no_bar(monkeypatch, stream, patience):
    monkeypatch.setattr(sys, "stderr", stream())
    monkeypatch.setattr("popdyn.simulation.progress.PATIENCE", patience)
    assert list(watched(range(5), 5, "counting")) == [0, 1, 2, 3, 4]
    assert sys.stderr.getvalue().strip("\n") == ""


def test_long_work_on_a_terminal_shows_what_is_being_done(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr("popdyn.simulation.progress.PATIENCE", -1.0)
    monkeypatch.setenv("TERM", "xterm")
    assert list(watched(iter("abc"), 3, "counting")) == ["a", "b", "c"]
    assert "counting" in sys.stderr.getvalue()
