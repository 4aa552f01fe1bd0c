import json
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn
from popdyn.tensor.session import make_session, neuron_spikes

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def tensor():
    values = np.arange(3 * 6 * 4, dtype=float).reshape(3, 6, 4)
    return pdn.make_tensor(
        values,
        0.1 * np.arange(6) - 0.25,
        {"choice": ["l", "r", "l", "r"], "rt": [0.2, 0.3, 0.4, 0.5]},
        {"area": ["m1", "m1", "pfc"]},
    )


@pytest.fixture
def session():
    return make_session(
        [0.0, 1.0, 2.0, 3.0, 10.0, 0.5],
        [0, 5, 6],
        neurons={"area": ["m1", "pfc"]},
        trials={"go_time": [1.0, 2.0], "choice": ["l", "r"]},
        obs=([0.0, 0.0], [10.0, 4.0], [0, 1]),
    )


def test_neurons_trials_and_times_are_chosen_together(tensor):
    part = pdn.select(tensor, neurons={"area": "m1"}, trials={"rt": {"min": 0.3}}, time=(-0.1, 0.2))
    np.testing.assert_array_equal(part.values, tensor.values[:2, 2:5, 1:])
    assert part.attrs["bin_width"] == tensor.attrs["bin_width"]
    step = json.loads(part.attrs["popdyn"])[-1]
    assert step["parameters"] == {
        "neurons": {"area": "m1"},
        "trials": {"rt": {"min": 0.3}},
        "time": [-0.1, 0.2],
    }
    assert pdn.check(part).identical(part)


def test_selecting_nothing_changes_nothing(tensor):
    assert pdn.select(tensor) is tensor


def test_windows_that_touch_share_no_bin_and_lose_none(tensor):
    halves = [pdn.select(tensor, time=window).sizes["time"] for window in ((-0.3, 0), (0, 0.3))]
    assert halves == [3, 3]


def test_one_bin_still_knows_its_width(tensor):
    part = pdn.select(tensor, time=(0.0, 0.1))
    assert part.sizes["time"] == 1
    assert part.attrs["bin_width"] == pytest.approx(0.1)


def test_an_empty_selection_lists_the_values_found(tensor):
    with pytest.raises(pdn.TensorError, match=r"holds m1 \(2\), pfc \(1\), never 'v1'"):
        pdn.select(tensor, neurons={"area": "v1"})


def test_an_unknown_column_gets_the_nearest_name(tensor):
    with pytest.raises(pdn.TensorError, match=r"no trial column 'choise'.*'choice'"):
        pdn.select(tensor, trials={"choise": "l"})


def test_a_window_without_bins_says_where_the_bins_are(tensor):
    with pytest.raises(pdn.TensorError, match=r"\[3, 4\) s; the tensor has 6 bins from -0.25"):
        pdn.select(tensor, time=(3, 4))


def test_min_rate_counts_in_hertz():
    counts = np.zeros((2, 10, 1))
    counts[0, 0] = 1  # one spike in 0.2 s
    tensor = pdn.make_tensor(counts, 0.02 * np.arange(10), name="spike_count")
    assert pdn.select(tensor, min_rate=4.9)["neuron"].values.tolist() == [0]
    with pytest.raises(pdn.TensorError, match=r"5.1 Hz or more; the 2 neurons go from 0 to 5 Hz"):
        pdn.select(tensor, min_rate=5.1)


def test_min_rate_sees_only_what_was_observed():
    rates = np.full((2, 4, 2), np.nan)
    rates[0, 0, 0], rates[1] = 20.0, 1.0
    tensor = pdn.make_tensor(rates, 0.1 * np.arange(4))
    assert pdn.select(tensor, min_rate=10)["neuron"].values.tolist() == [0]


def test_a_session_keeps_the_spikes_of_its_neurons(session):
    part = pdn.select(session, neurons={"area": "pfc"}, trials={"choice": "r"})
    assert neuron_spikes(part, 0).tolist() == [0.5]
    assert part["obs_stop"].values.tolist() == [4.0]
    assert part["choice"].values.tolist() == ["r"]
    assert json.loads(part.attrs["popdyn"])[-1]["step"] == "select"


def test_the_rate_of_a_session_is_over_its_observation_intervals(session):
    assert pdn.select(session, min_rate=0.45)["neuron"].values.tolist() == [0]
    assert pdn.select(session, min_rate=0.25)["neuron"].values.tolist() == [0, 1]


def test_a_session_has_no_bins_to_select(session):
    with pytest.raises(pdn.TensorError, match=r"choose the window when aligning"):
        pdn.select(session, time=(0, 1))


def test_selecting_before_or_after_alignment_is_the_same():
    session = pdn.read_session(
        DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="encoding_table"
    )
    chosen = {"neurons": session["neuron"].values[:4], "trials": {"stimCategory": 1}}
    before = pdn.align(pdn.select(session, **chosen), "boundary1_time", (0, 1), 0.1)
    after = pdn.select(pdn.align(session, "boundary1_time", (0, 1), 0.1), **chosen)
    assert before.sizes["trial"] == 30
    np.testing.assert_array_equal(before.values, after.values)
