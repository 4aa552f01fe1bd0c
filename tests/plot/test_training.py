"""Pictures of trainings and of what trained networks do show the numbers they are given."""

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn


@pytest.fixture(scope="module")
def trained():
    net = pdn.network.Rate.random(60, g=0.9, rng=0)
    task = pdn.tasks.PerceptualDecision(stimuli=(-0.4, 0.4))
    return pdn.train.reservoir(net, task, n_trials=40, n_validation=30, rng=0), task


def _history(accuracy=(0.5, 0.8, 0.7)):
    n = len(accuracy)
    bound = np.stack([np.array(accuracy) - 0.1, np.array(accuracy) + 0.1])
    return xr.Dataset(
        {
            "loss": ("checkpoint", np.full(n, 0.1)),
            "validation_loss": ("checkpoint", np.linspace(1, 0, n)),
            "accuracy": ("checkpoint", np.array(accuracy)),
            "accuracy_bound": (("bound", "checkpoint"), bound),
            "best": ((), int(np.nanargmax(accuracy))),
            "final_accuracy": ((), 0.75),
            "final_accuracy_bound": ("bound", [0.7, 0.8]),
        },
        coords={"n_trials": ("checkpoint", 100 * np.arange(1, n + 1)), "bound": ["lower", "upper"]},
        attrs={"method": "full_force", "parameters": '{"task": "IntervalProduction"}'},
    )


def _line(ax, label):
    return next(line for line in ax.lines if line.get_label().startswith(label))


@pytest.mark.parametrize("method", ["reservoir", "force", "full_force"])
def test_a_history_is_shown_whatever_the_rule(method):
    ax = pdn.show(_history().assign_attrs(method=method))
    assert _line(ax, "tests").get_xydata().tolist() == [[100, 0.5], [200, 0.8], [300, 0.7]]
    assert _line(ax, "the one chosen").get_xydata().tolist() == [[200, 0.8]]
    assert _line(ax, "on fresh trials: 0.75").get_ydata()[0] == 0.75
    assert ax.get_title() == f"IntervalProduction, {method.replace('_', '-')}"


def test_a_test_that_was_not_come_through_is_a_gap():
    ax = pdn.plot.training(_history((0.5, np.nan, 0.7)))
    assert np.isnan(_line(ax, "tests").get_ydata()[1])
    assert np.isfinite(ax.get_ylim()).all()


def test_a_history_with_one_test_is_drawn(trained):
    (_, history), _ = trained
    assert _line(pdn.show(history), "tests").get_xdata().tolist() == [40]


def test_losses_are_drawn_beside_each_other():
    ax = pdn.plot.training_loss(_history())
    assert [line.get_label() for line in ax.lines] == ["while learning", "learning off"]
    assert np.isnan(ax.lines[1].get_ydata()[-1])


def test_a_result_of_another_kind_is_refused():
    with pytest.raises(pdn.TensorError, match=r"plot.training draws accuracy and"):
        pdn.plot.training(xr.Dataset(attrs={"method": "pca"}))


def test_outputs_stand_beside_their_targets(trained):
    (net, _), task = trained
    trials = task.sample(6, rng=1, dt=net.dt)
    sim = pdn.simulate(net, trials, record=())
    ax = pdn.plot.output_against_target(sim, trials, show=[3, 1])
    assert [text.get_text() for text in ax.texts] == ["3", "1"]
    solid = [line for line in ax.lines if line.get_color() == "#0072B2" and len(line.get_xdata())]
    drawn = solid[0].get_ydata()
    assert np.array_equal(drawn, sim["output"].isel(output=0, trial=3).values, equal_nan=True)
    second = float((trials["stop_time"] - trials["start_time"])[3]) + 0.15
    assert solid[1].get_xdata()[0] == pytest.approx(second + sim["time"].values[0])
    asked = next(line for line in ax.lines if line.get_linestyle() == "--")
    target = trials["target"].isel(output=0, trial=3).values
    n_steps = int(np.isfinite(asked.get_ydata()).sum())
    assert np.array_equal(asked.get_ydata()[:n_steps], target[:n_steps])


def test_a_wrong_trial_has_a_cross(trained):
    (net, _), task = trained
    trials = task.sample(3, rng=1, dt=net.dt)
    sim = pdn.simulate(net, trials, record=())
    wrong = sim.assign_coords(correct=("trial", [1.0, 0.0, np.nan]))
    ax = pdn.plot.output_against_target(wrong, trials)
    assert [text.get_text() for text in ax.texts] == ["0", "1 ×", "2"]


def test_several_outputs_have_lanes():
    task = pdn.tasks.FlipFlop()
    net = pdn.network.Rate.random(20, n_inputs=3, n_outputs=3, rng=0)
    trials = task.sample(2, rng=0, dt=net.dt)
    ax = pdn.plot.output_against_target(pdn.simulate(net, trials), trials, show=1)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        f"output {i}: 0" for i in range(3)
    ]


def test_outputs_that_do_not_belong_to_the_trials_are_refused(trained):
    (net, _), task = trained
    trials = task.sample(4, rng=1, dt=net.dt)
    sim = pdn.simulate(net, trials, record=())
    draw = pdn.plot.output_against_target
    with pytest.raises(pdn.TensorError, match="of 4 trials, the targets of 3"):
        draw(sim, trials.isel(trial=slice(3)))
    with pytest.raises(pdn.TensorError, match="trials must come from task.sample"):
        draw(sim, sim)
    with pytest.raises(pdn.TensorError, match="a Session of spikes has no output"):
        draw(trials, trials)
    with pytest.raises(pdn.TensorError, match="start_time of 4 of 4 trials|stimulus of . of 4"):
        draw(sim, task.sample(4, rng=3, dt=net.dt).assign_coords(start_time=trials["stop_time"]))
    others = task.sample(4, rng=3, dt=net.dt)
    with pytest.raises(pdn.TensorError, match="these are not the trials that were simulated: "):
        draw(sim, others)
    with pytest.raises(pdn.TensorError, match="show must be at least 1 trial"):
        draw(sim, trials, show=0)
    with pytest.raises(pdn.TensorError, match="show names trials 9; there are 4"):
        draw(sim, trials, show=[9])
    three = xr.concat([sim["output"]] * 3, "output").transpose("output", "time", "trial")
    with pytest.raises(pdn.TensorError, match="the network has 3 outputs, the task 1"):
        draw(three, trials)


def test_what_a_network_remembers_is_drawn_against_how_long_ago_it_was():
    net = pdn.network.Rate.random(10, g=0.9, tau=0.01, dt=0.01, rng=0)
    memory = pdn.train.memory_capacity(net, n_values=100, max_delay=30, amplitude=0.1)
    ax = pdn.show(memory)
    drawn = _line(ax, f"capacity {float(memory['capacity']):.1f} (").get_xydata()
    assert drawn[:, 1].tolist() == memory["r_squared"].values.tolist()
    assert drawn[:, 0] == pytest.approx(0.01 * np.arange(31))
    with pytest.raises(pdn.TensorError, match="plot.memory_capacity draws r_squared"):
        pdn.plot.memory_capacity(_history())


def _productions():
    stimulus = np.repeat([0.6, 0.8], 20)
    table = {"stimulus": stimulus, "produced_interval": 0.14 + 0.8 * stimulus}
    return pdn.make_tensor(np.ones((1, 1, 40)), [0.0], table, bin_width=0.1)


def test_produced_intervals_are_drawn_beside_the_line_without_bias():
    ax = pdn.show(pdn.behavior_by_class(_productions(), n_draws=5))
    pdn.show(pdn.behavior_by_class(_productions(), n_draws=5), ax=ax, color="k", label="again")
    lines = [line for line in ax.lines if line.get_gid() == "identity"]
    assert len(lines) == 1
    assert lines[0].get_xydata().ravel() == pytest.approx([0.6, 0.6, 0.8, 0.8])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[1:] == ["slope 0.80 (0.80 to 0.80)", "again: slope 0.80 (0.80 to 0.80)"]
    points = ax.containers[0][0].get_xydata()
    assert points.ravel() == pytest.approx([0.6, 0.62, 0.8, 0.78])


def test_each_context_has_its_color():
    tensor = _productions().assign_coords(context=("trial", np.tile(["long", "short"], 20)))
    ax = pdn.show(pdn.behavior_by_class(tensor, n_draws=5))
    assert [text.get_text().split(":")[0] for text in ax.get_legend().get_texts()[1:]] == [
        "long",
        "short",
    ]
    assert len({bars[0].get_color() for bars in ax.containers}) == 2


def test_comparisons_are_drawn_as_points_and_as_curves():
    first, second = np.array([(f, f + d) for f in (10.0, 20.0) for d in (-2, -1, 1, 2)] * 5).T
    right = np.sign(second - first)
    table = {"stimulus": first, "stimulus_2": second, "choice": right, "correct": np.ones(40)}
    tensor = pdn.make_tensor(np.ones((1, 1, 40)), [0.0], table, bin_width=0.1)
    result = pdn.behavior_by_class(tensor, n_draws=5)
    ax = pdn.show(result)
    assert _line(ax, "slope 1.00").get_xydata().ravel() == pytest.approx([10, 10, 20, 20])
    curves = pdn.plot.choice_by_pair(result)
    drawn = [line for line in curves.lines if len(line.get_xdata()) == 100]
    assert len(drawn) == 2
    middle = np.interp(10.0, *drawn[0].get_xydata().T)
    assert middle == pytest.approx(0.5, abs=1e-3)


def test_other_tasks_show_shares_of_correct_trials():
    table = {"stimulus": np.repeat([1, 2], 10), "correct": np.repeat([1.0, 0.0], 10)}
    tensor = pdn.make_tensor(np.ones((1, 1, 20)), [0.0], table, bin_width=0.1)
    ax = pdn.show(pdn.behavior_by_class(tensor, n_draws=5))
    assert ax.lines[0].get_ydata().tolist() == [1.0, 0.0]
    assert ax.get_xlabel() == "stimulus"


def test_numbers_of_trials_alone_are_no_picture():
    table = {"stimulus": np.repeat([1, 2], 10)}
    tensor = pdn.make_tensor(np.ones((1, 1, 20)), [0.0], table, bin_width=0.1)
    with pytest.raises(pdn.TensorError, match="no more than numbers of trials"):
        pdn.show(pdn.behavior_by_class(tensor, n_draws=5))
