"""Read damaged files in a process that may die, and judge what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import resource
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# Seconds of computing a file may take, and seconds until a process that computes nothing is ended.
MOST_SECONDS, PATIENCE = 30.0, 180.0
_MOST_MEMORY = 1e9
_MOST_WORDS = 700
FAILED = ("wrong number", "traceback", "bad message", "crash", "hang", "memory", "foreign warning")


@dataclass(frozen=True)
class Outcome:
    """What came of a file: one of the words of the table, and a line about it."""

    outcome: str
    noticed: bool
    line: str
    seconds: float


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1e3 * next(float(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _computed() -> float:
    """Seconds of computing so far, also of other processes that were started: load plays no part."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(own.ru_utime + own.ru_stime for own in used)


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _fingerprint(session: Any) -> str:
    found = hashlib.sha256()
    for name in sorted(map(str, session.variables)):
        values = np.ascontiguousarray(session[name].values)
        found.update(f"{name} {values.dtype.str} {values.shape}".encode() + values.tobytes())
    return found.hexdigest()


def _judge(path: Path, table: str, say: Any) -> dict[str, Any]:
    """Read a file in the three ways; report what came of it in plain values."""
    import popdyn as pdn
    from popdyn.errors import PopdynError, PopdynWarning, SourceError
    from tests.io.plain_reading import differences

    result: dict[str, Any] = {"errors": [], "lines": [], "foreign": [], "print": "", "wrong": []}
    session = tensor = None
    started = _computed()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for stage in ("describe_nwb", "read_session", "read_nwb"):
            say(stage)
            try:
                if stage == "describe_nwb":
                    summary = pdn.describe_nwb(path)
                    str(summary), summary._repr_html_(), summary.to_dataset()
                elif stage == "read_session":
                    session = pdn.read_session(path, table)
                else:
                    tensor = pdn.read_nwb(path, "start_time", (-0.5, 1.0), 0.1, table)
            except PopdynError as error:
                known = isinstance(error, SourceError) or stage == "read_nwb"
                result["errors"].append((stage, str(error), known))
            except BaseException:  # noqa: BLE001 - the very thing that is looked for
                result["traceback"] = f"{stage}: {traceback.format_exc()[-1500:]}"
                break
    result["seconds"] = _computed() - started
    for warning in caught:
        own = issubclass(warning.category, PopdynWarning)
        result["lines" if own else "foreign"].append(str(warning.message))
    if session is not None and "traceback" not in result:
        say("plain reading")
        result["print"] = _fingerprint(session)
        result["lines"] += json.loads(session.attrs["problems"])
        try:
            result["wrong"] = differences(path, session, table)
        except Exception:  # noqa: BLE001 - the oracle's own fault
            result["wrong"] = [("oracle", traceback.format_exc()[-800:])]
        if tensor is not None:
            result["wrong"] += _count_again(session, tensor)
    return result


def _count_again(session: Any, tensor: Any) -> list[tuple[str, str]]:
    """Count some of the spikes again, one window at a time."""
    starts, times = session["neuron_start"].values, session["spike_time"].values
    for neuron in range(min(4, tensor.sizes["neuron"])):
        own = times[starts[neuron] : starts[neuron + 1]]
        for trial in range(0, tensor.sizes["trial"], 5):
            zero = float(tensor["align_time"].values[trial])
            counts = tensor.values[neuron, :, trial]
            slack = 1e-6 + 1e-9 * abs(zero)
            low = int(((own >= zero - 0.5 + slack) & (own < zero + 1.0 - slack)).sum())
            high = int(((own >= zero - 0.5 - slack) & (own < zero + 1.0 + slack)).sum())
            if np.isfinite(counts).all() and not low <= counts.sum() <= high:
                return [("count", f"neuron {neuron}, trial {trial}: {counts.sum()}, not {low}")]
    return []


def _work(pipe: Any) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    import popdyn as pdn

    pdn.read_nwb, pdn.describe_nwb  # noqa: B018 - loaded before anything is timed
    while True:
        path, table = pipe.recv()
        _reset_peak()
        result = _judge(Path(path), table, pipe.send)
        pipe.send({**result, "memory": _peak()})


class DamagedReader:
    """One process that reads file after file, replaced when it dies or takes too long."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._pipe: Any = None

    def __enter__(self) -> DamagedReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=_work, args=(other,), daemon=True)
        self._process.start()
        other.close()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def read(self, path: Path, table: str) -> dict[str, Any]:
        """Return what `_judge` found, or how the process came to its end."""
        if self._process is None:
            self._start()
        self._pipe.send((str(path), table))
        stage, until = "start", time.monotonic() + PATIENCE
        try:
            while self._pipe.poll(max(until - time.monotonic(), 0.0)):
                found = self._pipe.recv()
                if isinstance(found, dict):
                    return found
                stage, until = found, time.monotonic() + PATIENCE
            end = "hang"
        except (EOFError, ConnectionError):
            end = "crash"
        self._stop()
        return {"end": end, "stage": stage}

    def outcome(self, path: Path, table: str, sound: dict[str, Any]) -> Outcome:
        """Read a damaged file and give what came of it a name.

        Parameters
        ----------
        path : Path
        table : str
        sound : dict
            What `read` gave for the file before it was damaged.
        """
        found = self.read(path, table)
        if "end" in found and found["stage"] == "plain reading":
            return Outcome("only popdyn survives", True, f"h5py: {found['end']}", 0.0)
        if "end" in found:
            return Outcome(found["end"], False, found["stage"], 0.0)
        word, noticed, line = _named(found, sound, path)
        return Outcome(word, noticed, line.replace(str(path), path.name), found["seconds"])


def _named(found: dict[str, Any], sound: dict[str, Any], path: Path) -> tuple[str, bool, str]:
    if "traceback" in found:
        return "traceback", False, found["traceback"]
    for stage, message, known in found["errors"]:
        # What align says of a session names its columns, not the file.
        names_file = path.name in message or stage == "read_nwb"
        if not known or "\n" in message or len(message) >= _MOST_WORDS or not names_file:
            return "bad message", False, f"{stage}: {message}"
    if found["foreign"]:
        return "foreign warning", False, "; ".join(found["foreign"])
    if found["seconds"] > MOST_SECONDS:
        return "hang", False, f"{found['seconds']:.0f} s of computing"
    if found["memory"] > _MOST_MEMORY:
        return "memory", False, f"{found['memory'] / 1e6:.0f} MB"
    refusals = [message for stage, message, _ in found["errors"] if stage == "read_session"]
    if refusals:
        return "SourceError", True, refusals[0]
    return _compared(found, sound)


def _compared(found: dict[str, Any], sound: dict[str, Any]) -> tuple[str, bool, str]:
    new = [line for line in found["lines"] if line not in sound["lines"]]
    broken = [line for line in found["lines"] if "\n" in line]
    if broken:
        return "bad message", False, broken[0]
    wrong = [pair for pair in found["wrong"] if pair not in sound["wrong"]]
    silent = [pair for pair in wrong if not any(pair[0] in line for line in new)]
    if silent:
        return "wrong number", False, f"{silent[0][0]}: {silent[0][1]}"
    if wrong:
        return "warning", True, next(line for line in new if wrong[0][0] in line)
    same = found["print"] == sound["print"]
    refused = [message for stage, message, _ in found["errors"] if stage == "read_nwb"]
    line = next(iter([*new, *refused]), "")
    return ("same" if same else "different but as the file now says"), bool(line), line
