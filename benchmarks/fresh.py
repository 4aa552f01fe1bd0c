"""One call in an interpreter of its own: CPU time, peak memory, bytes and data sets read.

Nothing of an earlier contestant is in the way: no memory that is kept, no module that is loaded,
no file that was already looked at.  Run as ``python -m benchmarks.fresh READER WARM PATH TRIALS``
it prints the figures as JSON.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import resident_rise, timed
from benchmarks.readers import READERS, quiet

_ROOT = Path(__file__).parents[1]


class Figures(NamedTuple):
    """What one call took.

    ``peak`` is how far the resident size of the process rose, ``from_disk`` what it asked the
    system to read (bytes; NaN where the system does not say).  ``reads`` counts how often h5py
    read each data set.
    """

    cpu: float
    wall: float
    peak: float
    from_disk: float
    reads: dict[str, int]


class ReaderError(RuntimeError):
    """A reader cannot read the file; the last line of what it said."""


def measure_fresh(reader: str, path: str | Path, trials: str, warm: Path | None = None) -> Figures:
    """Read a file in a new process.

    Parameters
    ----------
    reader : str
        Name among `benchmarks.readers.READERS`.
    path : str or Path
    trials : str
        Name of the table of trials.
    warm : Path, optional
        A small file of the same form to read first, so that imports are not counted.

    Raises
    ------
    ReaderError
        If it cannot be read.
    """
    command = [sys.executable, "-m", __name__, reader, str(warm or ""), str(path), trials]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReaderError((done.stderr.strip().splitlines() or ["it crashed"])[-1])
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


@contextlib.contextmanager
def counted_reads() -> Iterator[Counter[str]]:
    """Count how often each data set of an HDF5 file is read within a ``with`` block."""
    import h5py

    counts: Counter[str] = Counter()
    kept = {name: getattr(h5py.Dataset, name) for name in ("__getitem__", "read_direct")}

    def counting(method: Any) -> Any:
        def read(data: Any, *arguments: Any, **options: Any) -> Any:
            counts[str(data.name)] += 1
            return method(data, *arguments, **options)

        return read

    for name, method in kept.items():
        setattr(h5py.Dataset, name, counting(method))
    try:
        yield counts
    finally:
        for name, method in kept.items():
            setattr(h5py.Dataset, name, method)


def _from_disk() -> float:
    try:
        return float(Path("/proc/self/io").read_text().split()[1])
    except OSError:
        return float("nan")


def main(reader: str, warm: str, path: str, trials: str) -> None:
    """Measure one call, counting from after the first read of a small file."""
    read = READERS[reader]
    place: Any = path if "://" in path else Path(path)
    seconds: list[tuple[float, float]] = []
    with contextlib.redirect_stdout(sys.stderr), counted_reads() as counts:
        if warm:
            quiet(read, Path(warm), "trials")
        counts.clear()
        before = _from_disk()
        peak = resident_rise(lambda: seconds.append(timed(lambda: quiet(read, place, trials))))
        from_disk = _from_disk() - before
    cpu, wall = seconds[0]
    print(json.dumps(Figures(cpu, wall, peak, from_disk, dict(counts))._asdict()))


if __name__ == "__main__":
    main(*sys.argv[1:])
