"""Lessons of any task, of one's own too; and what is refused, in words that say what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.tasks.lesson import lesson_of
from popdyn.tasks.registry import TASKS

EVERY = pytest.mark.parametrize("name", sorted(TASKS))


def one_output(n_trials=3, n_steps=7):
    return xr.Dataset(
        {
            "inputs": (("channel", "step_time", "trial"), np.ones((2, n_steps, n_trials))),
            "target": (("output", "step_time", "trial"), np.zeros((1, n_steps, n_trials))),
        }
    )


@dataclass
class Mine:
    """A task of a user: `hints` is what its `teach` gives besides inputs and target."""

    hints: object = None


class Teaching(Mine):
    def teach(self, trials):
        lesson = trials.assign(hints=(("hint", "step_time", "trial"), self.hints))
        return lesson.assign_coords(hint=[f"hint {i}" for i in range(len(self.hints))])


def test_a_task_that_teaches_nothing_gives_its_inputs_and_target():
    trials = one_output()
    lesson = lesson_of(Mine(), trials)
    assert np.array_equal(lesson["inputs"], trials["inputs"])
    assert np.array_equal(lesson["target"], trials["target"])
    assert lesson["hints"].shape == (0, 7, 3)
    assert lesson["hint"].values.tolist() == []


def test_a_task_that_teaches_is_asked():
    hints = np.arange(42.0).reshape(2, 7, 3)
    assert np.array_equal(lesson_of(Teaching(hints), one_output())["hints"], hints)
    task = pdn.tasks.IntervalProduction()
    trials = task.sample(3)
    assert lesson_of(task, trials).identical(task.teach(trials))


def test_a_task_without_targets_is_refused():
    says = "found a Dataset with inputs: the sample of Mine must return .*or there is nothing to"
    with pytest.raises(TensorError, match=says):
        lesson_of(Mine(), one_output().drop_vars("target"))
    with pytest.raises(TensorError, match=r"expected trials .* found a NoneType"):
        lesson_of(Mine(), None)
    flat = one_output().isel(output=0)
    with pytest.raises(TensorError, match="target of the trials of Mine must have the dims output"):
        lesson_of(Mine(), flat)


@pytest.mark.parametrize(
    ("shape", "found"),
    [((2, 6, 3), "step_time: 6, trial: 3"), ((2, 7, 4), "step_time: 7, trial: 4")],
)
def test_hints_of_other_steps_or_trials_are_refused(shape, found):
    class Other(Mine):
        def teach(self, _):
            size = shape[1:]
            return xr.Dataset(
                {
                    "inputs": (("channel", "step_time", "trial"), np.ones((2, *size))),
                    "target": (("output", "step_time", "trial"), np.ones((1, *size))),
                    "hints": (("hint", "step_time", "trial"), np.ones(shape)),
                }
            )

    says = (
        rf"inputs of the lesson of Other must have \(channel: 2, step_time: 7, trial: 3\).*{found}"
    )
    with pytest.raises(
        TensorError, match=says + r".*let Other.teach return an entry for each step"
    ):
        lesson_of(Other(), one_output())


def test_hints_without_a_dim_of_their_own_are_refused():
    class Flat(Mine):
        def teach(self, trials):
            return trials.assign(hints=(("step_time", "trial"), np.zeros((7, 3))))

    says = r"hints of the lesson of Flat must have \(hint: any, step_time: 7, trial: 3\)"
    with pytest.raises(TensorError, match=says):
        lesson_of(Flat(), one_output())


def test_hints_need_names_of_their_own():
    class Nameless(Mine):
        def teach(self, trials):
            return trials.assign(hints=(("hint", "step_time", "trial"), np.zeros((2, 7, 3))))

    class Twice(Nameless):
        def teach(self, trials):
            return super().teach(trials).assign_coords(hint=["clock", "clock"])

    for task, found in ((Nameless(), "no coordinate 'hint'"), (Twice(), "clock more than once")):
        with pytest.raises(TensorError, match=f"needs a name of its own .* found {found}"):
            lesson_of(task, one_output())


def test_other_channels_and_outputs_are_refused():
    class Wide(Mine):
        def teach(self, trials):
            hints = (("hint", "step_time", "trial"), np.zeros((1, 7, 3)))
            return trials.isel(channel=[0, 1, 1]).assign(hints=hints)

    with pytest.raises(TensorError, match=r"inputs of the lesson of Wide .*found \(channel: 3"):
        lesson_of(Wide(), one_output())


def test_hints_that_are_no_numbers_are_refused():
    for bad in (np.full((1, 7, 3), np.nan), np.full((1, 7, 3), np.inf), np.full((1, 7, 3), "a")):
        says = "hints of the lesson of Teaching must be finite numbers, found (21 that are NaN|<U1)"
        with pytest.raises(TensorError, match=says):
            lesson_of(Teaching(bad), one_output())


def test_what_is_no_lesson_is_refused():
    class Lazy(Mine):
        def teach(self, trials):
            return trials["inputs"]

    class Forgetful(Mine):
        def teach(self, trials):
            return trials

    for task, found in ((Lazy(), "a DataArray"), (Forgetful(), "a Dataset with inputs, target")):
        with pytest.raises(TensorError, match=f"must return a Dataset with .* found {found}"):
            lesson_of(task, one_output())


@EVERY
def test_trials_of_another_task_are_refused(name):
    other = "Detection" if name != "Detection" else "FlipFlop"
    trials = TASKS[other]().sample(3)
    with pytest.raises(TensorError, match=f"{name} cannot teach on trials that {other} made"):
        TASKS[name]().teach(trials)


@EVERY
def test_what_is_no_set_of_trials_is_refused(name):
    task = TASKS[name]()
    trials = task.sample(3)
    for given in (None, trials["inputs"], trials.drop_vars("target")):
        with pytest.raises(TensorError, match=f"{name} teaches on trials from its sample, found a"):
            task.teach(given)
    for by_hand in (trials.drop_attrs(), trials.assign_attrs(task=name).drop_attrs()):
        with pytest.raises(TensorError, match="cannot teach on trials put together by hand"):
            task.teach(by_hand)


@EVERY
def test_edited_trials_are_refused(name):
    task = TASKS[name]()
    trials = task.sample(5, rng=0)
    edited = trials.copy(deep=True)
    edited["target"].values[0, -30:, 1] += 0.5
    with pytest.raises(TensorError, match="the target of 1 of 5 trials is not what the task asks"):
        task.teach(edited)
    edited["target"].values[0, -30:, 1] = np.nan
    with pytest.raises(TensorError, match="the target of 1 of 5 trials"):
        task.teach(edited)
    more = trials.isel(output=[*range(trials.sizes["output"]), 0])
    with pytest.raises(TensorError, match="the target of 5 of 5 trials"):
        task.teach(more)
    short = trials.isel(step_time=slice(0, 20))
    with pytest.raises(TensorError, match="within the 20 steps of the trials: trials were edited"):
        task.teach(short)
    late = trials.isel(step_time=slice(5, None))
    with pytest.raises(TensorError, match="trials were edited, take them as sample returns them"):
        task.teach(late)
    moved = trials.assign_coords(stop_time=trials["stop_time"] + 0.0034)
    with pytest.raises(TensorError, match="must follow each other at whole steps of dt=0.01 s"):
        task.teach(moved)
    with pytest.raises(TensorError, match=f"{name} cannot teach on trials without stop_time"):
        task.teach(trials.drop_vars("stop_time"))


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("PerceptualDecision", "stimulus"),
        ("ContextDecision", "context"),
        ("MultisensoryDecision", "modality"),
        ("ReadySetGo", "gain"),
        ("DualTask", "distractor"),
        ("DelayedMatch", "test"),
        ("FlipFlop", "pulses"),
        ("Detection", "stimulus_duration"),
        ("IntervalDiscrimination", "stimulus_2"),
    ],
)
def test_trials_that_lost_a_column_are_refused(name, column):
    task = TASKS[name]()
    with pytest.raises(TensorError, match=f"{name} cannot teach on trials without {column}"):
        task.teach(task.sample(3).drop_vars(column))


def test_a_stimulus_that_was_changed_is_seen_by_the_target():
    task = pdn.tasks.IntervalProduction()
    trials = task.sample(4, rng=0)
    changed = trials.assign_coords(stimulus=trials["stimulus"] + 0.05)
    with pytest.raises(TensorError, match="the target of 4 of 4 trials"):
        task.teach(changed)
    flips = pdn.tasks.FlipFlop(n_bits=1, n_slots=4).sample(2)
    with pytest.raises(TensorError, match=re.escape("of 4 slots of 1 bits, found '+x0'")):
        pdn.tasks.FlipFlop(n_bits=1, n_slots=4).teach(
            flips.assign_coords(pulses=("trial", ["+x0", "++00"]))
        )


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("IntervalProduction", "pulse_duration", 0.1),
        ("IntervalDiscrimination", "coding", "filled"),
        ("FrequencyDiscrimination", "frequency_range", (5.0, 40.0)),
        ("ReadySetGo", "prior_levels", (0.1, 0.2)),
        ("Detection", "go_cue", True),
        ("ContextDecision", "context_strength", 0.5),
        ("DualTask", "respond_to", (("A", "D"), ("B", "C"))),
        ("FlipFlop", "n_slots", 10),
        ("Oscillation", "sines", "force"),
    ],
)
def test_trials_that_are_shown_in_another_way_are_refused(name, field, value):
    trials = TASKS[name](**{field: value}).sample(3)
    says = rf"{name} cannot teach on trials drawn with {field}=.*use pdn.tasks.task_of\(trials\)"
    with pytest.raises(TensorError, match=says):
        TASKS[name]().teach(trials)
    assert pdn.tasks.task_of(trials).teach(trials)["target"].equals(trials["target"])


def test_noise_sets_and_durations_may_be_others():
    task = pdn.tasks.FrequencyDiscrimination()
    others = pdn.tasks.FrequencyDiscrimination(
        stimuli=((12.0, 20.0), (20.0, 12.0)),
        sensory_noise=3.0,
        stimulus_noise=0.1,
        catch_fraction=0.2,
        delay_duration=1.0,
        mask="trial",
        inter_trial=0.5,
        balanced=False,
        dt=0.005,
    )
    trials = others.sample(10, rng=0)
    held = task.teach(trials)["hints"].sel(hint="memory")
    assert sorted(set(np.abs(held).max("step_time").values.round(9))) == [0.0, 0.25, 1.25]


def test_pictures_of_lessons_name_inputs_targets_and_hints():
    task = pdn.tasks.DelayedMatch()
    lesson = task.teach(task.sample(6, rng=0))
    ax = pdn.plot.lesson(lesson, trial=4)
    names = [label.get_text().split("\n")[0] for label in ax.get_yticklabels()]
    assert names == ["A", "B", "target 0", *lesson["hint"].values]
    drawn = {patch.get_gid(): patch.get_data().values for patch in ax.patches}
    choice = lesson["hints"].sel(hint="choice").values[:, 4]
    inside = np.isfinite(drawn["choice"])
    assert np.corrcoef(drawn["choice"][inside], choice[inside])[0, 1] == pytest.approx(1.0)
    target = lesson["target"].values[0, :, 4]
    assert np.corrcoef(drawn["target 0"][inside], target[inside])[0, 1] == pytest.approx(1.0)
    stop = float((lesson["stop_time"] - lesson["start_time"])[4])
    assert inside.sum() == round(stop / 0.01)
    assert ax.get_ylabel() == "input, target, hint (dimensionless)"
    assert ax.get_title().startswith("trial 4, sample ")
    assert pdn.show(lesson).get_title().startswith("trial 0, sample ")


@EVERY
def test_the_picture_of_any_lesson_has_a_lane_for_each_line(name):
    task = TASKS[name]()
    lesson = lesson_of(task, task.sample(2, rng=0))
    ax = pdn.plot.lesson(lesson)
    sizes = [lesson.sizes[dim] for dim in ("channel", "output", "hint")]
    assert len(ax.patches) == sum(sizes)
    ax.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False))


def test_pictures_of_what_is_no_lesson_are_refused():
    trials = pdn.tasks.Oscillation().sample(2)
    says = r"expected a lesson from task.teach\(trials\) with .* hints not found"
    with pytest.raises(TensorError, match=says):
        pdn.plot.lesson(trials)
    with pytest.raises(TensorError, match=r"expected a lesson .*, found Oscillation"):
        pdn.plot.lesson(pdn.tasks.Oscillation())
