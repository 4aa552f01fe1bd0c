"""Trials without reset: one stretch of time through all of them, cut at their starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from popdyn.errors import TensorError
from popdyn.simulation.noise import InputNoise
from popdyn.simulation.recording import Bins, Recording
from popdyn.simulation.start import TrialInputs
from popdyn.simulation.steps import Array, Block

# Steps by which a trial may lie beside the steps of the one before.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Segment:
    """A trial, and the time from its end to the start of the next."""

    trial: int  # position
    first: int  # step of the stream at which the trial starts
    n_steps: int  # of the trial
    n_all: int  # of the trial and the time after it


def segments_of(run: TrialInputs, dt: float, n_after: int = 0) -> list[Segment]:
    """Return trials in order of time, in steps from the start of the first.

    Parameters
    ----------
    run : TrialInputs
        The trials.
    dt : float
        Step in seconds.
    n_after : int
        Steps to go on for after the last trial.

    Raises
    ------
    TensorError
        If trials overlap, or one starts between two steps of the stream.
    """
    order = np.argsort(run.start_time, kind="stable")
    exact = (run.start_time[order] - run.start_time[order[0]]) / dt
    first = np.rint(exact).astype(np.int64)
    off = np.flatnonzero(np.abs(exact - first) > _TOLERANCE)
    if off.size:
        message = (
            f"with continuous=True trials must start on steps of the network (dt={dt:g} s) counted "
            f"from the first; {off.size} of {len(order)} do not, first trial "
            f"{run.trial[order[off[0]]]}, {(exact - first)[off[0]] * dt:.3g} s beside"
        )
        raise TensorError(message)
    n_steps = run.n_steps[order]
    n_late = first[:-1] + n_steps[:-1] - first[1:]
    if (n_late > 0).any():
        late = int(np.argmax(n_late > 0))
        message = (
            f"{int((n_late > 0).sum())} trials start before the one before has stopped, first "
            f"trial {run.trial[order[late + 1]]}, {n_late[late] * dt:g} s too early: one network "
            "cannot do two at once. Sample trials with a longer inter_trial"
        )
        raise TensorError(message)
    n_all = np.append(np.diff(first), n_steps[-1] + n_after)
    rows = zip(order, first, n_steps, n_all, strict=True)
    return [Segment(*(int(number) for number in row)) for row in rows]


def segment_inputs(run: TrialInputs, segment: Segment, noise: InputNoise) -> Array:
    """Return the inputs of a segment ``(step, channel)``: zero after the trial, noise going on."""
    n_channels = run.inputs.shape[2]
    drive = np.zeros((segment.n_all, n_channels))
    drive[: segment.n_steps] = run.inputs[: segment.n_steps, segment.trial]
    n_pause = segment.n_all - segment.n_steps
    drive[segment.n_steps :] += noise.draw(segment.trial, n_pause, n_channels)
    return drive


@dataclass(frozen=True)
class Cut:
    """The part of the stream that belongs to a trial's tensors."""

    trial: int
    first: int  # step of the stream at which its first bin starts
    start: int  # step at which the first bin starts that the stream holds
    stop: int  # step at which its last bin ends

    def bins(self, every: int) -> slice:
        """Return the bins of `every` steps that the stream holds."""
        return slice((self.start - self.first) // every, (self.stop - self.first) // every)

    @property
    def part(self) -> slice:
        """Position of the trial."""
        return slice(self.trial, self.trial + 1)


def cuts_of(segments: list[Segment], every: int, around: tuple[int, int]) -> list[Cut]:
    """Return the cut of each trial, `around` steps before its start and after its end.

    Parameters
    ----------
    segments : list of Segment
        In order of time.
    every : int
        Steps per bin; bins are counted from `around` steps before a trial's start.
    around : (int, int)
        In steps.
    """
    cuts = []
    for segment in segments:
        first = segment.first - around[0]
        n_bins = (around[0] + segment.n_steps + around[1]) // every
        start = first + every * max(0, -(first // every))
        cuts.append(Cut(segment.trial, first, start, first + n_bins * every))
    return cuts


def _keep(cut: Cut, bins: Bins, first: int, block: Block) -> None:
    """Keep what belongs to a cut of a block before which the stream has `first` steps."""
    part = slice(max(0, cut.start - first), cut.stop - first + 1)
    bins.add(Block(block.rates[part], block.states[part]))
    if cut.stop <= first + block.n_steps:
        bins.recording.keeper.finish(cut.part)


def run_stream(
    initial: Array,
    noise_std: float | Array,
    generators: list[np.random.Generator],
    input_noise: InputNoise,
    recording: Recording,
    around: tuple[int, int] = (0, 0),
) -> Iterator[None]:
    """Step through all trials and what lies between them; yield after each segment.

    Noise of a segment comes from its trial's generator: within a trial it is that of a run with
    reset.

    Parameters
    ----------
    initial : ndarray, shape (1, neuron)
        State at the start of the first trial.
    noise_std : float or ndarray, shape (neuron,)
        Standard deviation of what is added to each state at each step.
    generators : list of Generator
        One per trial.
    input_noise : InputNoise
        Goes on between trials.
    recording : Recording
        Where bins and steps go.
    around : (int, int)
        Steps to keep before each trial's start and after its end.
    """
    run, every, state = recording.run, recording.steps_per_bin, initial
    segments = segments_of(run, recording.net.dt, around[1])
    cuts = [(cut, _bins(cut, recording)) for cut in cuts_of(segments, every, around)]
    for segment in segments:
        drive = segment_inputs(run, segment, input_noise)[:, None]
        part, n_steps, first = slice(segment.trial, segment.trial + 1), segment.n_steps, 0
        for block in recording.blocks(drive, state, noise_std, [generators[segment.trial]]):
            recording.check(block, first, part, np.array([segment.n_all]))
            now = segment.first + first
            cuts = [(cut, bins) for cut, bins in cuts if cut.stop > now]
            for cut, bins in cuts:
                if cut.start >= now + block.n_steps:
                    break
                _keep(cut, bins, now, block)
            counted = min(block.n_steps, max(0, n_steps - first))
            recording.put_steps(first, part, block.head(counted))
            first += block.n_steps
            state = block.states[-1].copy()
        yield


def _bins(cut: Cut, recording: Recording) -> Bins:
    """Return the bins of a cut, before the first that the stream holds."""
    held = cut.bins(recording.steps_per_bin)
    return Bins(recording, cut.part, np.array([held.stop]), held.start)
