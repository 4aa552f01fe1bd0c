"""Import: CPU seconds of ``import popdyn`` in a fresh interpreter, less those of an empty one."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys

from benchmarks.subject import Bar, Outcome

_CODE = """
import time
started = time.process_time()
{statement}
print(time.process_time() - started)
"""
_STATEMENTS = {
    "popdyn": "import popdyn",
    "popdyn with its first tensor function": "import popdyn; popdyn.align",
    "xarray": "import xarray",
    "pynapple": "import pynapple",
}


def cpu_seconds(statement: str) -> float:
    """CPU seconds of one statement in an interpreter of its own."""
    code = _CODE.format(statement=statement)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure(n_calls: int = 5) -> Outcome:
    """Import each package `n_calls` times, in turns."""
    outcome = Outcome("import (CPU s in a fresh interpreter)")
    statements = dict(_STATEMENTS)
    if not importlib.util.find_spec("pynapple"):
        del statements["pynapple"]
        outcome.remarks.append("pynapple is not installed: skipped (make bench installs it)")
    first = {name: cpu_seconds(statement) for name, statement in statements.items()}
    seconds: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(n_calls):
        for name, statement in statements.items():
            seconds[name].append(cpu_seconds(statement))
    for name, values in seconds.items():
        row: dict[str, object] = {
            "contestant": f"import {name}",
            "cpu_s": round(statistics.median(values), 6),
            "cpu_s_least": round(min(values), 6),
            "cpu_s_most": round(max(values), 6),
            "first_call_cpu_s": round(first[name], 6),
            "n_calls": n_calls,
        }
        outcome.rows.append(row)
    outcome.bars.append(Bar("CPU seconds of import popdyn", float(outcome.rows[0]["cpu_s"]), 0.1))
    return outcome
