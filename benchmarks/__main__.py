"""Run every subject, print one table, write ``RESULTS.md`` and a JSON file.

``python -m benchmarks [SUBJECT ...]``: without a subject, all of them.  What was measured of the
others before is kept.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    align,
    backprop,
    dpca,
    encoding,
    fit_lowrank,
    import_time,
    low_rank,
    memory,
    mixtures,
    observers,
    rate,
    rate_growth,
    reading,
    reading_growth,
    reading_large,
    recursive_least_squares,
    relative_distance,
    selectivity,
    spiking,
    spiking_growth,
    spiking_least_squares,
    tdr,
    writing,
)
from benchmarks.subject import Outcome

SUBJECTS: dict[str, Callable[[], Outcome]] = {
    "align": align.measure,
    "align_spikes": align.measure_spike_growth,
    "align_trials": align.measure_trial_growth,
    "encoding": encoding.measure,
    "encoding_growth": encoding.measure_growth,
    "import_time": import_time.measure,
    "reading_human": reading.measure_human,
    "reading_many": reading.measure_many,
    "reading_large": reading_large.measure,
    "reading_remote": reading_large.measure_remote,
    "reading_spikes": reading_growth.measure_spikes,
    "reading_neurons": reading_growth.measure_neurons,
    "writing": writing.measure,
    **dpca.SUBJECTS,
    "tdr": tdr.measure,
    "mixtures": mixtures.measure,
    "relative_distance": relative_distance.measure,
    "selectivity": selectivity.measure,
    **observers.SUBJECTS,
    **memory.SUBJECTS,
    **rate.SUBJECTS,
    **rate_growth.SUBJECTS,
    **low_rank.SUBJECTS,
    **backprop.SUBJECTS,
    **fit_lowrank.SUBJECTS,
    **spiking.SUBJECTS,
    **spiking_growth.SUBJECTS,
    **recursive_least_squares.SUBJECTS,
    **spiking_least_squares.SUBJECTS,
}
_FOLDER = Path(__file__).parent
_PACKAGES = (
    "numpy", "xarray", "pandas", "numba", "h5py", "pynwb", "pynapple", "neo", "spikeinterface",
    "torch", "jax", "snntorch", "norse", "nest-simulator",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    processor = platform.processor() or platform.machine()
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": processor,
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def table(outcome: Outcome) -> str:
    """One subject as Markdown."""
    lines = [f"## {outcome.subject}", ""]
    columns = list(dict.fromkeys(key for row in outcome.rows for key in row))
    lines.append("| " + " | ".join(column.replace("_", " ") for column in columns) + " |")
    lines.append("|" + "---|" * len(columns))
    for row in outcome.rows:
        lines.append("| " + " | ".join(_cell(row.get(column, "")) for column in columns) + " |")
    lines.append("")
    lines.extend(f"- {bar.line()}" for bar in outcome.bars)
    lines.extend(f"- {remark}" for remark in outcome.remarks)
    return "\n".join([*lines, ""])


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def earlier() -> dict[str, Outcome]:
    """What the results file holds."""
    path = _FOLDER / "results" / "latest.json"
    if not path.exists():
        return {}
    record = json.loads(path.read_text())
    return {name: Outcome.kept(part) for name, part in record["subjects"].items()}


def write(outcomes: dict[str, Outcome], where: dict[str, Any]) -> None:
    """Keep the run as JSON, and as the page people read."""
    record = {
        "machine": where,
        "subjects": {name: outcome.record() for name, outcome in outcomes.items()},
    }
    results = _FOLDER / "results"
    results.mkdir(exist_ok=True)
    (results / "latest.json").write_text(json.dumps(record, indent=1) + "\n")
    versions = ", ".join(f"{key} {value}" for key, value in where["versions"].items())
    head = (
        "# Benchmarks\n\n"
        "Written by `make bench`. Contestants take turns on one thread, in one process (the first "
        "call, with compilation and first imports, apart) or, with 2 GB, each call in a process of "
        "its own after a small file; figures are medians, CPU seconds with those of processes that "
        "were started. Ratios count: absolute seconds depend on the machine and its load.\n\n"
        f"Python {where['python']} on {where['system']} {where['processor']}, {where['cores']} "
        f"cores, load {where['load_at_start']} at the start of the newest run; {versions}.\n\n"
    )
    (_FOLDER / "RESULTS.md").write_text(head + "\n".join(map(table, outcomes.values())))


def main() -> int:
    """Run what was asked for, and write it into the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="*", help=f"of {', '.join(SUBJECTS)}")
    chosen = parser.parse_args().subject
    unknown = set(chosen) - set(SUBJECTS)
    if unknown:
        parser.error(f"no such subject: {', '.join(sorted(unknown))} (of {', '.join(SUBJECTS)})")
    where = machine()
    outcomes = {}
    for name in chosen or SUBJECTS:
        print(f"... {name}", file=sys.stderr)
        outcomes[name] = SUBJECTS[name]()
        load = f"{where['load_at_start']:.1f} of {where['cores']} cores"
        outcomes[name].remarks.append(f"load when this run of the benchmarks started: {load}")
        print(table(outcomes[name]))
    every = {**earlier(), **outcomes}
    write({name: every[name] for name in SUBJECTS if name in every}, where)
    print(f"written: {_FOLDER / 'RESULTS.md'} and results/latest.json")
    # A bar that is missed for a stated reason is no surprise.
    bars = [bar for outcome in outcomes.values() for bar in outcome.bars]
    return 0 if all(bar.met or bar.why for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
