"""Reading: the shipped human recording, and a made-up file of 2000 neurons.

What costs is asking the file once per neuron; a reader that asks once per column does not
notice how many neurons there are.
"""

from __future__ import annotations

import importlib.util
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.fresh import Figures, ReaderError, measure_fresh
from benchmarks.made_files import write_recording
from benchmarks.measure import Contestant, race
from benchmarks.readers import CONTESTANTS, LEAVES_OUT, PACKAGES, POPDYN, PYNAPPLE, quiet
from benchmarks.subject import Bar, Outcome

HUMAN = Path(__file__).parents[1] / "data" / "human_mtl_boundaries_sub-4_ses-4.nwb"
N_NEURONS, N_SPIKES, N_TRIALS = 2000, 4_000_000, 300


def compete(path: Path, trials: str, outcome: Outcome, n_calls: int) -> None:
    """Let every reader read the same file in turns; no slower than pynapple is the bar."""
    alone = able_readers(path, trials, outcome.remarks)
    entrants = [Contestant(name, partial(quiet, CONTESTANTS[name], path, trials)) for name in alone]
    timings = race(entrants, n_calls)
    for timing in timings:
        more = {
            "first_process_cpu_s": round(alone[timing.name].cpu, 4),
            "peak_MB": round(alone[timing.name].peak / 1e6, 1),
            "leaves_out": LEAVES_OUT.get(timing.name, ""),
        }
        outcome.rows.append(timing.row() | more)
    seconds = {timing.name: float(str(timing.row()["cpu_s"])) for timing in timings}
    if PYNAPPLE in seconds:
        ratio = round(seconds[POPDYN] / seconds[PYNAPPLE], 3)
        outcome.bars.append(Bar("CPU seconds over those of pynapple", ratio, 1.0))
    outcome.remarks.append(
        "first process: a new interpreter, imports and (popdyn) a first look at the file in "
        "another process included; peak memory is that call's"
    )


def able_readers(
    path: Path, trials: str, remarks: list[str], warm: Path | None = None
) -> dict[str, Figures]:
    """Every reader that is installed and can read a file, with what its first call took."""
    able = {}
    for name in CONTESTANTS:
        package = PACKAGES.get(name)
        if package and not importlib.util.find_spec(package):
            remarks.append(f"{package} is not installed: skipped (make bench installs it)")
            continue
        try:
            able[name] = measure_fresh(name, path, trials, warm)
        except ReaderError as error:
            remarks.append(f"{name} cannot read this file ({str(error):.120})")
    return able


def measure_human(n_calls: int = 5) -> Outcome:
    """Race the readers on the human recording."""
    outcome = Outcome("reading the human recording (35 neurons, 214,278 spikes)")
    compete(HUMAN, "encoding_table", outcome, n_calls)
    return outcome


def measure_many(n_calls: int = 5) -> Outcome:
    """Race the readers on many neurons."""
    outcome = Outcome("reading 2000 neurons, 4 M spikes, 300 trials")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.nwb"
        write_recording(path, N_NEURONS, N_SPIKES, N_TRIALS)
        compete(path, "trials", outcome, n_calls)
    return outcome
