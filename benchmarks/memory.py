"""Peak memory of the analyses beside the tensor they are given, over the tensor's size.

Each call runs in a process of its own, after the same call on a small tensor; what counts is how
far the resident size rises above the tensor.  A ladder of sizes tells what grows with the data
from what does not.  ``python -m benchmarks.memory NAME NEURONS BINS TRIALS KIND`` runs one call.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import resident_rise
from benchmarks.subject import Bar, Outcome

LADDER = ((100, 100, 1000), (200, 100, 1000))
KINDS = ("rate", "spike_count")
_RATES = "counts are turned into rates once, and averaged from there"
_PCA = "the trials of all conditions are held in double precision for their splits"
_CONDITION = (
    "trials of one condition are averaged in double precision, with the mask of the observed"
)
WHY = {
    ("DPCA of a condition average", "rate"): _CONDITION,
    ("DPCA of a condition average", "spike_count"): _CONDITION,
    ("PCA of averages", "rate"): _PCA,
    ("PCA of averages", "spike_count"): _PCA,
    ("DPCA", "spike_count"): _RATES,
}


def problem(n_neurons: int, n_bins: int, n_trials: int, kind: str = "rate") -> Any:
    """Counts or rates of neurons that follow stimulus and choice, single precision."""
    import popdyn as pdn

    rng = np.random.default_rng(2026)
    stimulus, choice = np.arange(n_trials) % 3 - 1, np.arange(n_trials) // 3 % 2 * 2 - 1
    trials = {"stimulus": stimulus.astype(float), "choice": choice.astype(float)}
    level = np.empty((n_neurons, n_trials), dtype=np.float32)
    for own in level:
        a, b = rng.normal(0.0, 0.05, 2)
        own[:] = 0.4 + a * stimulus + b * choice
    # Filled in place: make_tensor takes a copy of what it is given.
    nothing = np.broadcast_to(np.float32(0.0), (n_neurons, n_bins, n_trials))
    unit = "1" if kind == "spike_count" else "Hz"
    when = 0.02 * np.arange(n_bins)
    tensor = pdn.make_tensor(nothing, when, trials=trials, name=kind, units=unit)
    for own, mean in zip(tensor.values, level, strict=True):
        rng.standard_normal(dtype=np.float32, out=own)
        own *= 0.5
        own += mean
        np.maximum(np.rint(own, out=own), 0.0, out=own)
        if kind == "rate":
            own *= 50.0
    return tensor


def analyses() -> dict[str, Callable[[Any], object]]:
    """What is measured, by name."""
    import popdyn as pdn

    both = ["stimulus", "choice"]
    return {
        "encoding": lambda x: pdn.encoding(x, both),
        "PCA of averages": lambda x: pdn.PCA(5, by=both, n_draws=5, n_splits=1).fit(x),
        "DPCA": lambda x: pdn.DPCA(("stimulus", "choice")).fit(x),
        "DPCA of a condition average": lambda x: pdn.DPCA(("stimulus", "choice")).fit(
            pdn.condition_average(x, both)
        ),
        "TDR": lambda x: pdn.TDR(both, n_splits=2, n_draws=20).fit(x),
        "MultiTDR": lambda x: pdn.MultiTDR(both, n_splits=2, n_draws=20).fit(x),
        "decode": lambda x: pdn.decode(x, "choice", n_draws=4),
        "timescale": lambda x: pdn.timescale(x, max_lag=0.4, n_draws=20),
    }


def measured(name: str, size: tuple[int, int, int], kind: str) -> dict[str, float]:
    """Run one call here: rise of the resident size over the tensor's, and seconds."""
    run = analyses()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(problem(12, 40, 60, kind))
        tensor = problem(*size, kind)
        start = time.process_time()
        rise = resident_rise(lambda: run(tensor))
    return {"ratio": rise / tensor.nbytes, "seconds": time.process_time() - start}


def fresh(name: str, size: tuple[int, int, int], kind: str) -> dict[str, float]:
    """Run one call in a process of its own."""
    command = [sys.executable, "-m", __name__, name, *map(str, size), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_over_data(name: str, size: tuple[int, int, int], kind: str) -> float:
    """Peak memory beside the tensor over the tensor's size, in a process of its own."""
    return fresh(name, size, kind)["ratio"]


def measure() -> Outcome:
    """Climb the ladder: what grows with the data is the difference between its steps."""
    outcome = Outcome(
        "peak memory of analyses beside the tensor (single precision, 100 bins x 1000 trials)"
    )
    for name in analyses():
        for kind in KINDS:
            row: dict[str, object] = {"analysis": name, "tensor": kind}
            ratios = []
            for size in LADDER:
                ratio = fresh(name, size, kind)["ratio"]
                ratios.append(ratio * size[0])
                row[f"over_data_{size[0]}_neurons"] = round(ratio, 3)
            slope = (ratios[-1] - ratios[-2]) / (LADDER[-1][0] - LADDER[-2][0])
            row["of_more_data"] = round(slope, 3)
            outcome.rows.append(row)
            bar = Bar(
                f"{name}, {kind}: of more data",
                round(slope, 3),
                1.05,
                why=WHY.get((name, kind), ""),
            )
            outcome.bars.append(bar)
    return outcome


SUBJECTS = {"memory": measure}

if __name__ == "__main__":
    numbers = tuple(int(word) for word in sys.argv[2:5])
    print(json.dumps(measured(sys.argv[1], numbers, sys.argv[5])))
