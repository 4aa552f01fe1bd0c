from __future__ import annotations

import time

import pytest

from popdyn.comparison import progress


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich believe in a terminal
    monkeypatch.setenv("TERM", "xterm")


def test_nothing_is_shown_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with progress.Progress(2) as bar:
        time.sleep(0.05)
        bar.step("reading")
    assert capsys.readouterr() == ("", "")


def test_work_of_a_moment_shows_nothing(capsys, terminal):
    with progress.Progress(1) as bar:
        bar.step("reading")
    assert "reading" not in capsys.readouterr().err


def test_longer_work_shows_what_is_being_done_on_stderr(capsys, terminal, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    with progress.Progress(2) as bar:
        bar.step("reading")
        time.sleep(0.4)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "reading" in captured.err


def test_a_caller_can_have_silence_on_a_terminal(capsys, terminal, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with progress.Progress(2, enabled=False) as bar:
        time.sleep(0.05)
        bar.step("reading")
    assert capsys.readouterr() == ("", "")
