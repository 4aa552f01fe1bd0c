"""Counting spikes in bins: arrays only."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def count_spikes(
    spike_time: np.ndarray,
    neuron_start: np.ndarray,
    event_time: np.ndarray,
    edges: np.ndarray,
    bin_width: float,
    counts: np.ndarray,
) -> None:  # pragma: no cover - compiled
    """Add every spike to the bin ``[event + edge, event + next edge)`` it falls in.

    ``spike_time`` is sorted within neurons; ``counts (neuron, bin, trial)`` is filled in place.
    The plain form is `count_spikes_plain`.
    """
    n_neurons = neuron_start.size - 1
    n_bins = edges.size - 1
    per_second = 1.0 / bin_width
    for neuron in range(n_neurons):
        first, last = neuron_start[neuron], neuron_start[neuron + 1]
        spikes = spike_time[first:last]
        at = 0
        before = -np.inf
        for trial in range(event_time.size):
            event = event_time[trial]
            start, stop = event + edges[0], event + edges[n_bins]
            if start < before:
                at = np.searchsorted(spikes, start)
            before = start
            # Trials mostly follow each other: gallop from where the last window began.
            step = 1
            while at + step < spikes.size and spikes[at + step] < start:
                at += step
                step *= 2
            at += np.searchsorted(spikes[at : at + step + 1], start)
            i = at
            while i < spikes.size and spikes[i] < stop:
                guess = int((spikes[i] - start) * per_second)
                guess = min(max(guess, 0), n_bins - 1)
                # The guess may be one off where rounding meets an edge.
                while guess > 0 and spikes[i] < event + edges[guess]:
                    guess -= 1
                while guess < n_bins - 1 and spikes[i] >= event + edges[guess + 1]:
                    guess += 1
                counts[neuron, guess, trial] += 1
                i += 1


def count_spikes_plain(
    spike_time: np.ndarray,
    neuron_start: np.ndarray,
    event_time: np.ndarray,
    edges: np.ndarray,
    bin_width: float,  # noqa: ARG001 - same arguments as the kernel
    counts: np.ndarray,
) -> None:
    """Count in plain NumPy, as `count_spikes` does."""
    for neuron in range(neuron_start.size - 1):
        spikes = spike_time[neuron_start[neuron] : neuron_start[neuron + 1]]
        for trial, event in enumerate(event_time):
            counts[neuron, :, trial] += np.diff(np.searchsorted(spikes, event + edges))
