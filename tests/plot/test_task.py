"""The picture of a task shows what was drawn, not something computed."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.tasks import PerceptualDecision
from popdyn.tasks.registry import TASKS


@pytest.fixture(scope="module")
def trials():
    return PerceptualDecision(decision_duration=0.2).sample(6, rng=0)


def lane(ax, name):
    """Return the line of a lane and the height of its zero."""
    return next(patch for patch in ax.patches if patch.get_gid() == name).get_data().values


def test_inputs_and_target_of_the_trial_are_drawn(trials):
    ax = pdn.plot.task(trials, trial=3)
    inputs = trials["inputs"].values[0, :, 3]
    assert np.corrcoef(lane(ax, "stimulus"), inputs)[0, 1] == pytest.approx(1.0)
    target, mask = lane(ax, "target 0"), trials["mask"].values[:, 3]
    assert np.array_equal(np.isfinite(target), mask)
    assert len(set(target[mask])) == 1
    assert ax.get_title() == f"trial 3, stimulus {trials['stimulus'].values[3]:g}"
    low, high = min(inputs.min(), 0), max(inputs.max(), 0)
    sign = "-1 to 0" if trials["stimulus"].values[3] < 0 else "0 to 1"
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [f"stimulus\n{low:.3g} to {high:.3g}", f"target 0\n{sign}"]


def test_axes_have_units_and_events_their_names(trials):
    ax = pdn.plot.task(trials)
    assert ax.get_xlabel() == "time from start_time (s)"
    assert ax.get_ylabel() == "input, target (dimensionless)"
    texts = {text.get_text(): text.xy[0] for text in ax.texts}
    assert texts == pytest.approx({"stimulus on": 0.1, "stimulus off": 0.9, "decision": 1.0})
    shaded = ax.collections[0].get_paths()[0].get_extents()
    assert (shaded.x0, shaded.x1) == pytest.approx((1.0, 1.2))


@pytest.mark.parametrize("name", sorted(TASKS))
def test_no_words_overlap_or_leave_the_picture(name):
    for trial in range(3):
        ax = pdn.plot.task(TASKS[name]().sample(3, rng=2), trial=trial)
        figure = ax.figure
        figure.draw_without_rendering()
        names = [text.get_window_extent() for text in ax.texts]
        labels = [text.get_window_extent() for text in ax.get_yticklabels()]
        outer = [ax.yaxis.label.get_window_extent(), ax.title.get_window_extent()]
        boxes = [*names, *labels, *outer]
        for at, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[at + 1 :])
            assert figure.bbox.x0 <= box.x0
            assert box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0
            assert box.y1 <= figure.bbox.y1
        lanes = [patch.get_window_extent() for patch in ax.patches]
        assert not any(box.overlaps(drawn) for box in names for drawn in lanes)
        assert all(ax.bbox.x0 - 1 <= box.x0 and box.x1 <= ax.bbox.x1 + 1 for box in names)


def test_nothing_is_drawn_after_a_trial(trials):
    pairs = pdn.tasks.DelayedMatch().sample(8, rng=0)
    short = int(np.argmin((pairs["stop_time"] - pairs["start_time"]).values))
    ax = pdn.plot.task(pairs, trial=short)
    length = float((pairs["stop_time"] - pairs["start_time"])[short])
    assert ax.get_xlim() == pytest.approx((0, length))
    assert np.isfinite(lane(ax, "A")).sum() == round(length / 0.01)
    assert len(lane(ax, "A")) > round(length / 0.01)


def test_several_inputs_lie_in_lanes_with_names_and_ranges():
    trials = pdn.tasks.ReadySetGo(gains=(1.0, 1.5), prior_levels=(-0.3, 0.7)).sample(8, rng=0)
    ax = pdn.plot.task(trials, trial=5)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert [label.split("\n")[0] for label in labels] == [
        *("ready", "set", "prior", "gain", "target 0")
    ]
    drawn = {patch.get_gid(): patch.get_data().values for patch in ax.patches}
    assert list(drawn) == [label.split("\n")[0] for label in labels]
    assert labels[0].endswith("0 to 1")
    assert labels[2].endswith("-0.3 to 0") or labels[2].endswith("0 to 0.7")
    # Lanes do not overlap, the first is on top, and lines keep their shape.
    spans = [(np.nanmin(values), np.nanmax(values)) for values in drawn.values()]
    assert all(above[0] > below[1] for above, below in zip(spans, spans[1:], strict=False))
    ready = trials["inputs"].values[0, :, 5]
    inside = np.isfinite(drawn["ready"])
    assert np.corrcoef(drawn["ready"][inside], ready[inside])[0, 1] == pytest.approx(1.0)
    target, counts = drawn["target 0"], trials["mask"].values[:, 5]
    assert np.array_equal(np.isfinite(target), counts)
    top = ax.get_ylim()[1]
    assert max(high for _, high in spans) < top - 1
    texts = {text.get_text(): text.xy[0] for text in ax.texts}
    one = trials.isel(trial=5)
    assert texts == pytest.approx(
        {
            "ready": float(one["ready_time"] - one["start_time"]),
            "set": float(one["set_time"] - one["start_time"]),
        }
    )


def test_titles_say_units_contexts_and_catch_trials():
    timed = pdn.tasks.ReadySetGo(priors=("short",)).sample(3, rng=0)
    interval = f"{timed['stimulus'].values[0]:g}"
    assert pdn.plot.task(timed).get_title() == f"trial 0, stimulus {interval} s, context short"
    pairs = pdn.tasks.FrequencyDiscrimination(((18, 26),), catch_fraction=0.5).sample(2, rng=0)
    titles = {pdn.plot.task(pairs, trial=trial).get_title().split(", ", 1)[1] for trial in (0, 1)}
    assert titles == {"stimulus 18 Hz, stimulus 2 26 Hz", "catch trial"}


def test_events_that_a_trial_does_not_have_are_not_drawn():
    trials = pdn.tasks.Detection().sample(8, rng=0)
    for trial in range(8):
        names = {text.get_text() for text in pdn.plot.task(trials, trial=trial).texts}
        present = float(trials["stimulus"][trial]) > 0
        assert ("stimulus on" in names) == present
        assert {"cue off", "decision"} <= names


def test_channels_without_names_are_numbered():
    trials = pdn.tasks.IntervalProduction().sample(2, rng=0)
    trials["inputs"].attrs.pop("channels")
    labels = [label.get_text() for label in pdn.plot.task(trials).get_yticklabels()]
    assert [label.split("\n")[0] for label in labels] == ["input 0", "input 1", "target 0"]


def test_show_knows_trials_of_a_task(trials):
    assert pdn.show(trials).get_title().startswith("trial 0, stimulus")


def test_the_given_axes_are_used(trials):
    ax = pdn.plot.task(trials)
    assert pdn.plot.task(trials, ax=ax) is ax


def test_what_is_no_trial_is_refused(trials):
    with pytest.raises(TensorError, match="there is no trial with id 'x'. There are 6: 0 ..."):
        pdn.plot.task(trials, trial="x")
    with pytest.raises(TensorError, match="with inputs, target, mask; target not found"):
        pdn.plot.task(trials.drop_vars("target"))


def test_the_title_tells_the_columns_that_have_a_role():
    pairs = pdn.tasks.DelayedMatch(pairs=(("A", "B"),), delay_duration=0.1)
    assert pdn.plot.task(pairs.sample(1)).get_title() == "trial 0, sample A, test B"
    catch = pdn.tasks.DelayedMatch(catch_fraction=0.9, delay_duration=0.1).sample(1)
    assert pdn.plot.task(catch).get_title() == "trial 0, catch trial"
    assert pdn.plot.task(pdn.tasks.Oscillation().sample(1)).get_title() == "trial 0"


def test_what_is_no_trials_is_refused_in_words():
    for given in (None, pdn.tasks.Detection()):
        with pytest.raises(TensorError, match=r"expected trials from task.sample\(n_trials, rng\)"):
            pdn.plot.task(given)


def test_noise_is_drawn_as_small_as_it_is_beside_a_stimulus():
    trials = pdn.tasks.DualTask().sample(1, rng=1)
    ax = pdn.plot.task(trials)
    heights = {
        patch.get_gid(): np.ptp(patch.get_data().values[np.isfinite(patch.get_data().values)])
        for patch in ax.patches
        if patch.get_gid()
    }
    inputs = trials["inputs"].values[:, :, 0]
    spans = np.ptp(np.concatenate([inputs, np.zeros((len(inputs), 1))], axis=1), axis=1)
    drawn = [height for name, height in heights.items() if not name.startswith("target")]
    np.testing.assert_allclose(np.array(drawn) / max(drawn), np.ptp(inputs, axis=1) / spans.max(),
                               rtol=0.2)  # fmt: skip
