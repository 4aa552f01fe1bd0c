"""Trials without reset: one stretch of time through all of them, cut at their starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.simulation.noise import InputNoise
from popdyn.simulation.recording import Recording, Sums
from popdyn.simulation.start import TrialInputs
from popdyn.simulation.steps import Array

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


@dataclass
class Cut:
    """The part of the stream that belongs to a trial's tensors."""

    trial: int
    first: int  # step of the stream at which its first bin starts
    start: int  # step at which the first bin starts that the stream holds
    stop: int  # step at which its last bin ends
    sums: list[Sums] = field(default_factory=list)

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


_ALIVE: NDArray[np.bool_] = np.ones(1, dtype=bool)


def run_stream(
    run: TrialInputs,
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
    run : TrialInputs
        The trials, with the noise of their inputs.
    initial : ndarray, shape (1, neuron)
        State at the start of the first trial, which is changed.
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
    net, every = recording.net, recording.steps_per_bin
    segments = segments_of(run, net.dt, around[1])
    waiting, open_cuts = cuts_of(segments, every, around)[::-1], []
    for segment in segments:
        drive = segment_inputs(run, segment, input_noise)[:, None]
        own = [generators[segment.trial]]
        path = recording.evolve(drive, initial, noise_std, own)
        before, state = next(path), initial.copy()
        for step, rate in enumerate(path):
            now = segment.first + step
            while waiting and waiting[-1].start <= now:
                cut = waiting.pop()
                cut.sums = recording.sums(before, state)
                open_cuts.append(cut)
            before, state = rate, initial.copy() if recording.with_state else initial
            if step < segment.n_steps:
                recording.put_step(step, slice(segment.trial, segment.trial + 1), rate)
            open_cuts = [cut for cut in open_cuts if _go_on(cut, now + 1, rate, state, recording)]
        yield


def _go_on(cut: Cut, now: int, rate: Array, state: Array, recording: Recording) -> bool:
    """Add a step to a cut and keep its bin if that is full; tell whether the cut goes on."""
    for each, values in zip(cut.sums, (rate, state), strict=False):
        each.add(values)
    time, position = divmod(now - cut.first, recording.steps_per_bin)
    if position == 0 and now <= cut.stop:
        recording.put_bin(time - 1, cut.part, cut.sums, _ALIVE)
    if now == cut.stop:
        recording.keeper.finish(cut.part)
    return now < cut.stop
