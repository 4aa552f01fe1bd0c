from __future__ import annotations

import time

import pytest

from popdyn import progress


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich believe in a terminal
    monkeypatch.setenv("TERM", "xterm")


def test_nothing_is_shown_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with progress.Progress(2, "comparing") as bar:
        time.sleep(0.05)
        bar.step("reading")
    assert capsys.readouterr() == ("", "")


def test_work_of_a_moment_shows_nothing(capsys, terminal):
    with progress.Progress(1, "comparing") as bar:
        bar.step("reading")
    assert "reading" not in capsys.readouterr().err


def test_longer_work_shows_what_is_being_done_on_stderr(capsys, terminal, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    with progress.Progress(2, "comparing") as bar:
        bar.step("reading")
        time.sleep(0.4)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "reading" in captured.err


def test_a_caller_can_have_silence_on_a_terminal(capsys, terminal, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with progress.Progress(2, "comparing", enabled=False) as bar:
        time.sleep(0.05)
        bar.step("reading")
    assert capsys.readouterr() == ("", "")


def test_a_step_of_work_that_has_a_bar_shows_none_of_its_own(capsys, terminal, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    with progress.Progress(1, "comparing", enabled=False):
        for _ in progress.watched(range(3), 3, "simulating"):
            time.sleep(0.1)
    assert "simulating" not in capsys.readouterr().err


@pytest.mark.parametrize("patience", [0.0, 100.0])
def test_watched_items_pass_unchanged(patience, terminal, monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE", patience)
    assert list(progress.watched(iter("abc"), 3, "counting")) == ["a", "b", "c"]
    capsys.readouterr()


def test_long_watching_shows_what_is_being_done(capsys, terminal, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    for _ in progress.watched(range(3), 3, "counting"):
        time.sleep(0.2)
    assert "counting" in capsys.readouterr().err
