"""Dual task: holding a sample while another decision is made in the delay.

A delayed paired association (sample, test) with a Go/NoGo distractor between the two.  What is
associated with what and the order of epochs follow the experiments; durations and noise are our
choice, all of them parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed
from popdyn.tasks.answers import choose, event_steps, mean_during
from popdyn.tasks.fields import check_durations, check_name_pairs, check_names, check_shared
from popdyn.tasks.hints import grown, named, phases
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration, as_tuples
from popdyn.tasks.reading import read_output
from popdyn.tasks.timeline import Timeline, assemble, draw_cells
from popdyn.tasks.trial_set import Column, Draw, name_channels

_DISTRACTORS = ("go", "nogo", "none")
# Epochs in which something is shown, and the columns that name it.
_SHOWN = ("sample", "test", "distractor")
_EPOCHS = {
    "fixation": "start_time",
    "sample": "sample_on_time",
    "delay": "sample_off_time",
    "distractor": "distractor_on_time",
    "distractor_decision": "distractor_decision_time",
    "delay_2": "distractor_stop_time",
    "test": "test_on_time",
    "decision": "decision_time",
}


@dataclass(frozen=True)
class DualTask:
    """A sample to be matched with a test, and a Go or NoGo to be answered in between.

    A trial is fixation, sample, delay, distractor, its decision, second delay, test, decision.
    Each sample, each test, Go and NoGo have an input channel of their own, which is 1 while it
    is shown; all carry noise during the whole trial.  One output, "respond", has the target 1
    (respond) or -1 (do not) in both decisions: to the distractor, 1 after Go and -1 after
    NoGo; to the pair, 1 for those of `respond_to` and -1 for others.

    Parameters
    ----------
    pairs : sequence of (sample, test) or (sample, test, weight)
        Names of the stimuli, and how often a pair comes compared with others (1 without).
    respond_to : sequence of (sample, test)
        The pairs that ask for a response.
    distractors : sequence of "go", "nogo", "none"
        Which occur, equally often with every pair.  With "none" nothing is shown in the delay
        and nothing is asked: only the decision at the end counts.
    fixation_duration, sample_duration, delay_duration, distractor_duration, \
distractor_decision_duration, delay_2_duration, test_duration, decision_duration : float or pair
        Duration of each epoch in seconds, or the bounds between which it is drawn uniformly
        for each trial.
    stimulus_noise : float
        Standard deviation of the input noise per step of 20 ms, dimensionless.  For another
        step it is multiplied by sqrt(0.02 / dt).
    catch_fraction : float
        Share of trials in which nothing is shown, whose target is 0 and which no accuracy counts.
    inter_trial : float, pair or ("exponential", shortest, mean)
        Time between the end of a trial and the start of the next, in seconds: fixed, drawn
        uniformly between two bounds, or the shortest plus an exponential of this mean.
    mask : {"response", "trial"}
        Which steps count for the loss: those of the answer, or the whole trial, whose target is
        0 elsewhere.
    dt : float
        Step in seconds, unless `sample` is told another.
    balanced : bool
        Whether all pairs with all distractors come as often as their weights say (±1) in
        random order, or are drawn independently.

    Raises
    ------
    TensorError
        If a pair is not two names or comes twice, one of `respond_to` is no pair of `pairs`, a
        distractor is unknown, or a number has the wrong sign.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = pdn.tasks.DualTask().sample(8, rng=0)
    >>> dict(trials["inputs"].isel(step_time=0).sizes)
    {'channel': 6, 'trial': 8}
    >>> trials.attrs["n_trials_by_condition"]
    '{"A, C, go": 1, "A, C, nogo": 1, "A, D, go": 1, "A, D, nogo": 1, "B, C, go": 1, ...
    """

    pairs: tuple[tuple[Any, ...], ...] = (("A", "C"), ("A", "D"), ("B", "C"), ("B", "D"))
    respond_to: tuple[tuple[str, str], ...] = (("A", "C"), ("B", "D"))
    distractors: tuple[str, ...] = ("go", "nogo")
    fixation_duration: Duration = 0.5
    sample_duration: Duration = 1.0
    delay_duration: Duration = (1.0, 2.0)
    distractor_duration: Duration = 1.0
    distractor_decision_duration: Duration = 0.5
    delay_2_duration: Duration = (1.0, 2.0)
    test_duration: Duration = 1.0
    decision_duration: Duration = 0.5
    stimulus_noise: float = 0.03
    catch_fraction: float = 0.0
    inter_trial: Duration = 1.0
    mask: Literal["response", "trial"] = "response"
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        check_name_pairs(self, "pairs")
        if {"go", "nogo"} & {name for pair in self.pairs for name in pair[:2]}:
            message = f"'go' and 'nogo' have channels of their own, found them in {self.pairs!r}"
            raise TensorError(message)
        object.__setattr__(self, "respond_to", _some_of(self.pairs, self.respond_to))
        check_names(self, "distractors", _DISTRACTORS)
        check_shared(self)
        check_durations(self, _EPOCHS)

    @property
    def stimuli(self) -> tuple[str, ...]:
        """Names of the input channels: samples, tests, then "go" and "nogo"."""
        samples = dict.fromkeys(pair[0] for pair in self.pairs)
        tests = dict.fromkeys(pair[1] for pair in self.pairs)
        return (*samples, *(name for name in tests if name not in samples), "go", "nogo")

    def sample(self, n_trials: int, rng: Seed = 0, dt: float | None = None) -> xr.Dataset:
        """Draw trials.

        Parameters
        ----------
        n_trials : int
            Number of trials.
        rng : int or numpy.random.Generator
            Seed, or generator to draw from.
        dt : float, optional
            Step in seconds; give a network's ``net.dt`` to run it on the trials.  By default
            the task's.

        Returns
        -------
        xarray.Dataset
            ``inputs (channel, step_time, trial)``, ``target (output, step_time, trial)`` and
            ``mask (step_time, trial)``.  On ``trial``: ``sample``, ``test``, ``distractor``,
            ``target_choice`` (1 respond, -1 do not), ``target_distractor_choice`` (0 without a
            distractor; on catch trials names are "" and both targets 0), the realised
            ``*_duration`` and the events ``start_time``, ``sample_on_time``,
            ``sample_off_time``, ``distractor_on_time``, ``distractor_decision_time``,
            ``distractor_stop_time``, ``test_on_time``, ``decision_time``, ``stop_time`` in seconds
            on the session's clock.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        cells = list(product(self.pairs, self.distractors))
        weights = [pair[2] if len(pair) == 3 else 1.0 for pair, _ in cells]
        cell = draw_cells(weights, self.catch_fraction, self.balanced, draw)
        # The last row is that of catch trials, whose cell is -1.
        rows = [(*pair[:2], distractor) for pair, distractor in cells]
        shown = np.array([*rows, ("", "", "")])[cell].T
        timeline = Timeline.draw(self, _EPOCHS, draw)
        inputs = timeline.noise(len(self.stimuli), self.stimulus_noise, draw)
        inputs += self._signal(timeline, shown)
        choice = np.array([*(self._answer(pair[:2]) for pair, _ in cells), 0.0])[cell]
        inner = _distractor_answer(shown[2])
        last, between = timeline.during("decision"), timeline.during("distractor_decision")
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=inputs,
            target=(last * choice + between * inner)[None],
            mask=timeline.alive if self.mask == "trial" else last | (between & (inner != 0)),
            table=_table(shown, choice, inner),
            roles={"stimulus": "sample", "stimulus_2": "test", "context": "distractor"},
            conditions=("sample", "test", "distractor"),
        )
        return name_channels(trials, *self.stimuli)

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` without noise, ``target``, and ``hints (hint, step_time, trial)``: a
            memory of each sample, such as ``memory A``, which rises to 1 during the sample and
            stays until the test is over; ``distractor choice`` and ``choice``, which rise to
            the right ones during the distractor and the test, and keep them during the decision;
            the phases, one for each epoch but fixation.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS, *_SHOWN)
        shown = np.stack([trials[name].to_numpy() for name in _SHOWN])
        choice = np.array([self._answer((str(a), str(b))) for a, b in shown[:2].T])
        inner = _distractor_answer(shown[2])
        samples = tuple(dict.fromkeys(pair[0] for pair in self.pairs))
        between = ("distractor", "distractor_decision")
        hints = {
            **named(timeline, ("sample", "test"), shown[0], samples),
            "distractor choice": grown(timeline, *between, inner),
            "choice": grown(timeline, "test", "decision", choice),
            **phases(timeline),
        }
        target = timeline.during("decision") * choice + timeline.during(between[1]) * inner
        return make_lesson(trials, self._signal(timeline, shown), target[None], hints)

    def response(self, output: xr.DataArray, trials: xr.Dataset) -> xr.Dataset:
        """Say what a network did on each trial.

        Parameters
        ----------
        output : DataArray (output, step_time, trial)
            Output of a network at the end of each step; the first output answers.
        trials : Dataset
            The trials it was run on, from `sample`.

        Returns
        -------
        xarray.Dataset
            Of the decision about the pair: ``response (trial)``, the mean output over it;
            ``choice (trial)``, its sign, 1 for "respond", NaN where it is exactly 0;
            ``correct (trial)``, 1 where that is the target, else 0, NaN on catch trials.  Of the
            decision about the distractor, the same as ``distractor_response``,
            ``distractor_choice``, ``distractor_correct``, NaN in trials without one.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        output = read_output(self, output, trials)
        step = {name: event_steps(trials, name) for name in [*_EPOCHS.values(), "stop_time"]}
        last = mean_during(output, step["decision_time"], step["stop_time"])[0]
        inner = mean_during(output, step["distractor_decision_time"], step["distractor_stop_time"])[
            0
        ]
        asked = trials["target_distractor_choice"].to_numpy()
        inner = np.where(asked == 0, np.nan, inner)
        outer = choose(last, trials["target_choice"].to_numpy())
        between = choose(inner, asked)
        return outer.assign({f"distractor_{name}": between[name] for name in between.data_vars})

    def _signal(self, timeline: Timeline, shown: NDArray[np.str_]) -> NDArray[np.float64]:
        """Show names ``(epoch, trial)``, each in its channel, ``(channel, step, trial)``."""
        channels = np.array(self.stimuli)[:, None]
        signals = [
            (channels == names)[:, None] * timeline.during(epoch)
            for names, epoch in zip(shown, _SHOWN, strict=True)
        ]
        return np.asarray(np.sum(signals, axis=0, dtype=np.float64))

    def _answer(self, pair: tuple[str, str]) -> float:
        """Return what a pair asks for: 1 respond, -1 do not; 0 on catch trials."""
        return 0.0 if pair == ("", "") else 1.0 if pair in self.respond_to else -1.0


def _distractor_answer(distractor: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return what a distractor asks for: 1 after go, -1 after nogo, 0 without one."""
    answer: NDArray[np.float64] = np.select([distractor == "go", distractor == "nogo"], [1.0, -1.0])
    return answer


def _some_of(pairs: tuple[tuple[Any, ...], ...], given: Any) -> tuple[tuple[str, str], ...]:
    """Return the pairs that ask for a response, or say which is none of the pairs."""
    chosen = as_tuples(given)
    known = [pair[:2] for pair in pairs]
    for pair in chosen if isinstance(chosen, tuple) else (chosen,):
        if pair not in known:
            listed = ", ".join(map(str, known))
            message = f"respond_to may hold pairs of {listed}; found {pair!r}"
            raise TensorError(message)
    result: tuple[tuple[str, str], ...] = chosen
    return result


def _table(
    shown: NDArray[np.str_], choice: NDArray[np.float64], inner: NDArray[np.float64]
) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    says = "1 where the pair asks for a response, -1 where not; 0 on catch trials"
    inner_says = "1 after go, -1 after nogo, 0 without a distractor"
    return {
        "sample": (shown[0], {"description": "first stimulus of the pair"}),
        "test": (shown[1], {"description": "second stimulus of the pair"}),
        "distractor": (shown[2], {"description": "what is shown in the delay"}),
        "target_choice": (choice, {"units": "1", "description": says}),
        "target_distractor_choice": (inner, {"units": "1", "description": inner_says}),
    }
