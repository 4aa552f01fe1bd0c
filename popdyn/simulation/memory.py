"""Runs that cannot fit in memory are refused before they begin."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from popdyn.errors import TensorError
from popdyn.network.kinds import Network

_AVAILABLE = Path("/proc/meminfo")


def check_memory(
    net: Network,
    n_steps: float,
    n_bins: float,
    n_trials: int,
    record: Sequence[str],
    *,
    in_file: bool,
) -> None:
    """Refuse a run whose inputs and results need more memory than there is.

    Parameters
    ----------
    net : Rate, LowRank or Spiking
        The network.
    n_steps, n_bins : float
        Of the longest trial.
    n_trials : int
        Number of trials.
    record : sequence of str
        Tensors to keep.
    in_file : bool
        Whether they go to a file.

    Raises
    ------
    TensorError
        With what it needs, what there is, and what to do.
    """
    available = available_memory()
    tensors = 4.0 * net.n_neurons * sum(name not in ("spikes", "latent") for name in record)
    kept = 0.0 if in_file else (tensors + 8.0 * net.n_outputs) * n_bins * n_trials
    needed = kept + 8.0 * net.n_inputs * n_steps * n_trials
    if available is None or needed <= available:
        return
    to_file = " Write them to a file with path='run.nc', or" if kept else ""
    message = (
        f"{n_trials} trials of {n_steps * net.dt:g} s need at least {needed / 1e9:.3g} GB of "
        f"memory, {available / 1e9:.3g} GB are free.{to_file or ' Please'} run fewer trials or a "
        "shorter duration, or keep less (record=, a wider bin_width)"
    )
    raise TensorError(message)


def available_memory() -> float | None:
    """Return the bytes that can be used, None where the system does not say."""
    try:
        for line in _AVAILABLE.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError):
        # Not Linux.
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
