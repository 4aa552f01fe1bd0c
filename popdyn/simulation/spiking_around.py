"""Tensors of a spiking network that runs on: bins of each trial, and of the time around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.simulation.plan import Plan
from popdyn.simulation.spiking_run import Traces
from popdyn.simulation.spiking_setup import Array
from popdyn.simulation.spiking_stream import first_of_stream
from popdyn.simulation.spiking_trial import Trace, Wish, run_trial
from popdyn.simulation.stream import Cut, Segment, cuts_of, segment_inputs, segments_of

# Neurons times steps of which potentials and currents are held at once.
_PIECE = 2**22
# Steps within which a network that runs away is always seen.
_SHORTEST = 2000


def stream_around(net: Spiking, plan: Plan, noise_std: Array) -> Traces:
    """Run all trials and what lies between them; bins go beyond the trials on both sides.

    Every step is kept for a moment, as the bins of two trials may hold the same step and need
    not begin together.

    Parameters
    ----------
    net : Spiking
        The network.
    plan : Plan
        What was asked for, with time around its trials.
    noise_std : ndarray, shape () or (neuron,)
        Standard deviation of what is added to each potential at each step.

    Returns
    -------
    Traces
        No spikes; NaN in bins before the run.

    Raises
    ------
    TensorError
        If trials overlap, or the first state is one per trial.
    """
    run = plan.run
    segments = segments_of(run, net.dt, plan.around[1])
    machine, state = first_of_stream(net, plan, segments)
    kept = _Kept.of(net, plan, cuts_of(segments, plan.every, plan.around))
    wish = Wish(1, "potential" in plan.record, "current" in plan.record)
    before = np.zeros((1, net.n_outputs))
    for segment in watched(segments, run.n_trials, f"simulating {run.n_trials} trials"):
        drive = segment_inputs(run, segment, plan.input_noise)
        generator = plan.generators[segment.trial]
        for part in _pieces(segment, net.n_neurons):
            trace = run_trial(machine, state, drive[part], noise_std, generator, wish)
            kept.put(segment, part.start, trace, before)
            before = trace.output[-1:]
    return kept.traces(net)


def _pieces(segment: Segment, n_neurons: int) -> Iterator[slice]:
    """Cut the steps of a segment into pieces that fit in memory."""
    length = max(_SHORTEST, _PIECE // n_neurons)
    n_pieces = max(1, segment.n_all // length)
    edges = np.linspace(0, segment.n_all, n_pieces + 1).astype(int)
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        yield slice(int(first), int(last))


@dataclass
class _Kept:
    """Means over bins ``(row, bin, trial)``, NaN where the stream holds no bin."""

    cuts: list[Cut]
    starts: NDArray[np.int64]  # of the cuts
    stops: NDArray[np.int64]
    every: int
    means: dict[str, NDArray[Any]]  # of neurons, and of outputs
    counts: NDArray[np.float32] | None
    step_output: NDArray[np.float64]

    @classmethod
    def of(cls, net: Spiking, plan: Plan, cuts: list[Cut]) -> _Kept:
        """Make room for what is wanted."""
        n_bins, n_trials, wanted = plan.n_bins(net.dt), plan.run.n_trials, set(plan.record)

        def room(n_rows: int, dtype: type) -> NDArray[Any]:
            values: NDArray[Any] = np.full((n_rows, n_bins, n_trials), np.nan, dtype=dtype)
            for cut in cuts:
                values[:, cut.bins(plan.every), cut.trial] = 0.0
            return values

        n, counted = net.n_neurons, bool({"rate", "spike_count"} & wanted)
        means = {"output": room(net.n_outputs, np.float64)}
        means |= {name: room(n, np.float32) for name in ("potential", "current") if name in wanted}
        return cls(
            cuts=cuts,
            starts=np.array([cut.start for cut in cuts]),
            stops=np.array([cut.stop for cut in cuts]),
            every=plan.every,
            means=means,
            counts=room(n, np.float32) if counted else None,
            step_output=np.zeros((net.n_outputs, len(plan.run.inputs), n_trials), np.float64),
        )

    def put(self, segment: Segment, first: int, trace: Trace, before: Array) -> None:
        """Add some steps of a segment, the first of which is `first`; `before` is the output."""
        n_steps, start = len(trace.output), segment.first + first
        own = trace.output[: max(0, segment.n_steps - first)]
        self.step_output[:, first : first + len(own), segment.trial] = own.T
        line = (np.vstack([before, trace.output[:-1]]) + trace.output) / 2
        steps = {"output": line, "potential": trace.potential, "current": trace.current}
        for position in np.flatnonzero((self.starts < start + n_steps) & (self.stops > start)):
            cut = self.cuts[position]
            left, right = max(cut.start, start), min(cut.stop, start + n_steps)
            bins = (np.arange(left, right) - cut.first) // self.every
            inside = slice(left - start, right - start)
            for name, values in self.means.items():
                _add(values[:, :, cut.trial], bins, steps[name][inside] / self.every)
            if self.counts is not None:
                _count(self.counts[:, :, cut.trial], bins, inside, trace)

    def traces(self, net: Spiking) -> Traces:
        """Return what was kept as other runs do."""
        current = self.means.get("current")
        if current is not None:
            # The steps carry the resting potential in the constant current.
            rest = np.broadcast_to(np.asarray(net.rest, np.float32), net.n_neurons)
            current -= rest[:, None, None]
        return Traces(
            spike_neuron=[],
            spike_step=[],
            counts=self.counts,
            potential=self.means.get("potential"),
            current=current,
            output=self.means["output"],
            step_output=self.step_output,
        )


def _add(kept: NDArray[Any], bins: NDArray[np.int64], values: Array) -> None:
    """Add steps ``(step, row)`` to their bins ``(row, bin)``, in place."""
    begin = np.flatnonzero(np.diff(bins, prepend=-1))
    kept[:, bins[begin]] += np.add.reduceat(values, begin, axis=0).T


def _count(kept: NDArray[np.float32], bins: NDArray[np.int64], inside: slice, trace: Trace) -> None:
    """Add the spikes of the steps `inside` a trace to their bins ``(neuron, bin)``, in place."""
    before, n_spikes = int(trace.n_spikes[: inside.start].sum()), trace.n_spikes[inside]
    neuron = trace.spike_neuron[before : before + int(n_spikes.sum())]
    np.add.at(kept, (neuron, np.repeat(bins, n_spikes)), 1.0)
