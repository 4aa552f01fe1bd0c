"""How often sound sessions raise an alarm about their clock, and how often wrong ones do.

The committed results are written by the slow test.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pytest

from popdyn.io.clock_problems import clock_problems
from popdyn.io.coverage import find_coverage, gap_problems, session_span
from tests.io.clock_sessions import SOUND, WRONG, as_tables, seeded

RESULTS = Path(__file__).parent / "results" / "clock_checks.csv"
COMMAND = "# python -m pytest -n 0 -m slow tests/io/test_clock_calibration.py"
N_SESSIONS, N_FAST = 100, 5
FALSE_ALARMS, CATCHES = 0.02, 0.95
# What the values alone do not tell: recorded as it is, held to no bar.
NO_BAR = {
    "calcium-like events",
    "place cells alone",
    "all in ms, interneurons",
    "from trial start, 0.02-0.1 Hz",
    "trials in ms, 1 min in 4 h",
    "trials moved by half a session",
}
FAST_SOUND = ("cortex", "0.02-0.1 Hz Poisson", "few spikes")
FAST_WRONG = ("spikes in ms", "from trial start", "restart at 50%")


@dataclass
class Row:
    """Counts over the sessions of a kind.

    ``warned`` and ``remedy_named`` count sessions, the latter those with a line that names the
    argument that mends them; a session has a ``shared_silence_line`` or not.
    """

    kind: str
    truth: str
    n_sessions: int = 0
    warned: int = 0
    remedy_named: int = 0
    n_neurons: int = 0
    partly_recorded_neurons: int = 0
    shared_silence_lines: int = 0


def measure(kind, n_sessions):
    """Make sessions of a kind and count what is said about them."""
    make, remedy = WRONG[kind] if kind in WRONG else (SOUND[kind], None)
    row = Row(kind, "sound" if remedy is None else "wrong", n_sessions)
    for number in range(n_sessions):
        neurons, trials = as_tables(make(seeded(kind, number)))
        lines = clock_problems(neurons, trials)
        span = session_span(neurons, trials)
        coverage = find_coverage(neurons, span)
        row.warned += bool(lines)
        row.remedy_named += remedy is not None and any(remedy in line for line in lines)
        row.n_neurons += neurons.n_neurons
        row.partly_recorded_neurons += coverage.partial.size
        row.shared_silence_lines += len(gap_problems(neurons, coverage, span))
    return row


def misses(row):
    """What a row misses of its bars, in words."""
    if row.kind in NO_BAR:
        return []
    if row.truth == "wrong":
        caught = row.remedy_named / row.n_sessions
        return [f"{row.kind}: caught {caught:.0%}"] if caught < CATCHES else []
    shares = {
        "warned": row.warned / row.n_sessions,
        "neurons partly recorded": row.partly_recorded_neurons / row.n_neurons,
        "shared silences": row.shared_silence_lines / row.n_sessions,
    }
    return [f"{row.kind}: {what} {x:.1%}" for what, x in shares.items() if x > FALSE_ALARMS]


def write(rows):
    with RESULTS.open("w", newline="") as file:
        file.write(f"{COMMAND}\n")
        table = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def recorded():
    """The committed rows."""
    with RESULTS.open(newline="") as file:
        assert file.readline().strip() == COMMAND
        counts = {field.name for field in fields(Row)} - {"kind", "truth"}
        return [
            Row(**{name: int(v) if name in counts else v for name, v in row.items()})
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("kind", FAST_SOUND)
def test_a_sound_session_raises_no_alarm(kind):
    row = measure(kind, N_FAST)
    assert (row.warned, row.partly_recorded_neurons, row.shared_silence_lines) == (0, 0, 0)


@pytest.mark.parametrize("kind", FAST_WRONG)
def test_a_wrong_clock_is_caught_and_its_remedy_named(kind):
    assert measure(kind, N_FAST).remedy_named == N_FAST


def test_the_committed_rates_cover_every_kind_and_meet_their_bars():
    rows = recorded()
    assert [row.kind for row in rows] == [*SOUND, *WRONG]
    assert {row.n_sessions for row in rows} == {N_SESSIONS}
    assert [miss for row in rows for miss in misses(row)] == []


def test_a_kind_that_misses_its_bar_is_named():
    assert misses(Row("cortex", "sound", 100, warned=3, n_neurons=500)) == ["cortex: warned 3.0%"]
    assert misses(Row("all in ms", "wrong", 100, 100, 94)) == ["all in ms: caught 94%"]
    assert misses(Row("calcium-like events", "sound", 100, 100, n_neurons=500)) == []


@pytest.mark.slow
def test_alarms_are_rare_in_sound_sessions_and_common_in_wrong_ones():
    rows = [measure(kind, N_SESSIONS) for kind in (*SOUND, *WRONG)]
    write(rows)
    assert [miss for row in rows for miss in misses(row)] == []
