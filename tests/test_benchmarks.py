"""The benchmarks measure what they say, so that their figures can be believed."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as main
from benchmarks.__main__ import SUBJECTS, table
from benchmarks.align import EVENT, N_NEURONS, WINDOW, Recording, plain_numpy, popdyn_align
from benchmarks.measure import Contestant, race
from benchmarks.subject import Bar, Outcome

ROOT = Path(__file__).parents[1]


def test_contestants_take_turns_and_the_first_call_is_kept_apart():
    calls = []
    pair = [Contestant(name, lambda name=name: calls.append(name)) for name in ("a", "b")]
    timings = race(pair, 3)
    assert calls == ["a", "b"] * 4
    assert [len(timing.cpu) for timing in timings] == [3, 3]


def test_waiting_costs_wall_time_and_no_cpu_time():
    (timing,) = race([Contestant("waits", lambda: time.sleep(0.05))], 3)
    assert min(timing.wall) >= 0.05
    assert timing.row()["cpu_s"] < 0.04


def test_peak_memory_counts_what_was_dropped_before_the_end():
    """In a process of its own, where nothing else frees memory meanwhile."""
    code = """
import numpy as np
from benchmarks.measure import peak_memory
def run():
    one, other = np.ones(5_000_000), np.ones(5_000_000)
    return one + other
peak = peak_memory(run)
print(peak["allocated"] / 40e6, peak["resident"] / 40e6)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    allocated, resident = map(float, done.stdout.split())
    assert 2.95 < allocated < 3.1
    assert np.isnan(resident) or 2.5 < resident < 3.5


@pytest.mark.parametrize(("value", "at_most", "met"), [(1, True, True), (3, True, False)])
def test_a_bar_is_met_or_missed_and_the_table_says_so(value, at_most, met):
    bar = Bar("seconds", value, 2, at_most=at_most)
    assert bar.met is met
    assert Bar("ratio", value, 2, at_most=not at_most).met is not met
    printed = table(Outcome("subject", [{"contestant": "a", "cpu_s": 1.0}], [bar]))
    assert ("**missed**" in printed) is not met


def test_popdyn_and_plain_numpy_count_the_same_on_the_recording_of_the_race():
    recording = Recording(n_spikes=20_000, n_trials=10)
    counts = popdyn_align(recording)()
    assert np.array_equal(counts.values, plain_numpy(recording))
    inside = [
        np.sum(
            (recording.spike_time >= event + WINDOW[0]) & (recording.spike_time < event + WINDOW[1])
        )
        for event in recording.events
    ]
    assert counts.attrs["align"] == EVENT
    assert counts.sizes["neuron"] == N_NEURONS
    assert counts.values.sum() == np.sum(inside)


def test_a_missed_bar_says_by_how_much_and_why():
    bar = Bar("ratio", 3.0, 4.0, at_most=False, why="memory is no faster")
    assert bar.line().endswith("**missed** by 25%: memory is no faster")
    assert "memory" not in Bar("ratio", 5.0, 4.0, at_most=False, why="memory is no faster").line()


def test_what_was_not_run_again_keeps_its_rows_and_bars(tmp_path, monkeypatch):
    first = Outcome("one", [{"contestant": "a", "cpu_s": 1.5}], [Bar("ratio", 3.0, 2.0)], ["so"])
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(main, "_FOLDER", tmp_path)
    monkeypatch.setattr(main, "SUBJECTS", {"first": None, "second": lambda: Outcome("two")})
    assert main.earlier() == {}
    main.write({"first": first}, main.machine())
    assert main.earlier() == {"first": first}
    monkeypatch.setattr(sys, "argv", ["benchmarks", "second"])
    assert main.main() == 0
    assert main.earlier()["first"] == first
    assert list(main.earlier()) == ["first", "second"]
    page = (tmp_path / "RESULTS.md").read_text()
    assert page.index("## one") < page.index("## two")


def test_the_results_kept_are_of_every_subject_and_a_missed_bar_says_why():
    record = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    assert list(record["subjects"]) == list(SUBJECTS)
    missed = [
        bar["text"]
        for subject in record["subjects"].values()
        for bar in subject["bars"]
        if not (bar["met"] or bar["why"])
    ]
    assert missed == []
