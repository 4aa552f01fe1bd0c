"""Counts written as spikes are the same counts when they are read."""

import numpy as np
import pynwb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.io.writing.counts import session_of_counts
from popdyn.tensor.contract import bin_centers
from tests.io.recordings import THALAMUS
from tests.io.written import arrays_by_pynwb, quietly, read_back, same_tensor

RNG = np.random.default_rng(3)


def tensor_of(values, width=0.1, start=-0.2, zero=None, **options):
    values = np.asarray(values, dtype=np.float32)
    stop = float(f"{start + width * values.shape[1]:.12g}")
    time = bin_centers((start, stop), width)
    trials = options.pop("trials", {"go_time": zero} if zero is not None else None)
    attrs = {"go_time": {"units": "s", "clock": "session"}}
    return pdn.make_tensor(
        values, time, name="spike_count", bin_width=width, align="go_time", align_time=zero,
        trials=trials, column_attrs=attrs, **options,
    )  # fmt: skip


def counts_again(tensor, event, window, width):
    session, _, _ = session_of_counts(tensor)
    return quietly(pdn.align, session, event, window, width)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    width=st.sampled_from([0.001, 0.003, 0.01, 1 / 30, 0.1, 0.25, 2.0]),
    first=st.integers(-40, 40),
    far=st.sampled_from([0.0, 0.1, 1e3, 12345.678, 1e6]),
    values=st.lists(st.one_of(st.integers(0, 60), st.just(np.nan)), min_size=24, max_size=24),
)
def test_counts_and_gaps_are_exact_whatever_the_bins_and_the_time(width, first, far, values):
    values = np.array(values, dtype=np.float32).reshape(2, 4, 3)
    start = first * width
    zero = far + np.array([20.0, 0.0, 10.3]) + 8.0
    tensor = tensor_of(values, width, start, zero)
    again = counts_again(tensor, "go_time", (start, start + 4 * width), width)
    np.testing.assert_array_equal(again.values, values)


def test_spikes_lie_evenly_inside_their_bins(tmp_path):
    path = pdn.write_nwb(tmp_path / "a.nwb", tensor_of([[[2], [0], [1]]], 0.1, 0.0, [5.0]))
    (spikes,) = arrays_by_pynwb(path)["spike_times"]
    np.testing.assert_allclose(spikes, [5.025, 5.075, 5.25])


def test_what_was_not_observed_is_no_interval(tmp_path):
    values = [[[np.nan, 1], [1, 1], [np.nan, 2]], [[np.nan] * 2] * 3]
    path = pdn.write_nwb(tmp_path / "a.nwb", tensor_of(values, 0.1, 0.0, [5.0, 9.0]))
    first, never = arrays_by_pynwb(path)["obs_intervals"]
    np.testing.assert_allclose(first, [[5.1, 5.2], [9.0, 9.3]])
    assert never.shape == (1, 2)
    assert never[0, 0] == never[0, 1]


def test_a_tensor_of_a_recording_is_identical_when_read_again(tmp_path):
    session = quietly(pdn.read_session, THALAMUS)
    cut = {"event": "cue_start_time", "window": (-0.5, 0.5), "bin_width": 0.05}
    tensor = quietly(pdn.align, session, **cut)
    again = read_back(pdn.write_nwb(tmp_path / "a.nwb", tensor))
    read = quietly(pdn.align, again, **cut)
    same_tensor(read.assign_attrs(n_dropped=70), tensor)
    assert np.isnan(read.values).any()


def test_a_tensor_of_a_network_is_identical_when_read_again(tmp_path):
    net = pdn.network.Rate.random(40, g=0.9, rng=0)
    sim = pdn.simulate(net, pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt))
    cut = {"event": "stimulus_on_time", "window": (0.0, 0.8), "bin_width": 0.1}
    tensor = pdn.align(pdn.observe(sim, 12, rng=1), **cut)
    again = read_back(pdn.write_nwb(tmp_path / "a.nwb", tensor))
    same_tensor(pdn.align(again, **cut), tensor)
    assert again.attrs["source"] == "network"


def test_columns_only_nwb_asks_for_are_not_in_the_session_read_again(tmp_path):
    tensor = tensor_of(np.ones((2, 3, 2)), zero=[1.0, 2.0])
    path = pdn.write_nwb(tmp_path / "a.nwb", tensor)
    found = arrays_by_pynwb(path)["trials"]
    np.testing.assert_allclose(found["start_time"], [0.8, 1.8])
    np.testing.assert_allclose(found["stop_time"], [1.1, 2.1])
    assert "start_time" not in read_back(path).coords
    same_tensor(pdn.align(read_back(path), "go_time", (-0.2, 0.1), 0.1), tensor)


def test_trials_without_a_clock_follow_each_other_and_the_file_says_so(tmp_path):
    values = RNG.poisson(2.0, (2, 3, 4))
    path = pdn.write_nwb(tmp_path / "a.nwb", tensor_of(values, trials={"choice": list("lrlr")}))
    again = read_back(path)
    np.testing.assert_allclose(again["go_time"], 0.2 + 1.3 * np.arange(4))
    assert again["go_time"].attrs == {"units": "s", "clock": "session"}
    read = pdn.align(again, "go_time", (-0.2, 0.1), 0.1)
    np.testing.assert_array_equal(read.values, values)
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        said = reader.read().session_description
    assert "had no place on a clock and follow each other with 1 s between" in said
    assert "Spikes were put evenly into bins of 0.1 s" in said


def test_windows_may_overlap_by_rounding_and_no_more():
    values = RNG.poisson(3.0, (2, 4, 2)).astype(float)
    touching = tensor_of(values, zero=[1.0, 1.4 - 5e-10])
    np.testing.assert_array_equal(
        counts_again(touching, "go_time", (-0.2, 0.2), 0.1).values, values
    )
    with pytest.raises(TensorError, match="overlap on the session's clock in 1 pairs"):
        session_of_counts(tensor_of(values, zero=[1.0, 1.4 - 5e-9]))


def test_an_event_that_is_not_zero_does_not_stand_for_it():
    shifted = tensor_of(np.ones((1, 2, 2)), zero=[1.0, 5.0]).assign_coords(
        align_time=("trial", [1.05, 5.05])
    )
    session, _, note = session_of_counts(shifted)
    assert session["zero_time"].values.tolist() == [1.05, 5.05]
    assert "around zero_time" in note
    np.testing.assert_array_equal(
        pdn.align(session, "zero_time", (-0.2, 0.0), 0.1).values, np.ones((1, 2, 2))
    )


def test_a_pseudo_population_keeps_saying_what_it_is(tmp_path):
    tensor = tensor_of(np.ones((2, 2, 2)), simultaneous=0, source_id="pool")
    again = read_back(pdn.write_nwb(tmp_path / "a.nwb", tensor))
    assert again.attrs["simultaneous"] == 0
    assert again.attrs["source_id"] == "pool"


ONES = np.ones((1, 4, 3))
REFUSED = [
    (lambda: tensor_of(ONES, zero=[1.0, 1.3, 9.0]), r"overlap.*in 1 pairs of trials \(0 and 1\)"),
    (lambda: tensor_of(ONES, zero=[1.0, 0.9, 1.1]), r"\(1 and 0, 0 and 2\)"),
    (lambda: tensor_of(ONES * 0.5, zero=[1, 5, 9]), r"12 of 12 counts are no whole numbers.*0.5"),
    (lambda: pdn.make_tensor(ONES, [0, 1, 2, 3]), "expected a Session or a tensor spike_count"),
    (lambda: tensor_of(ONES * 9e4, 1e-3, zero=[1e9, 2e9, 3e9]), "90000 spikes do not fit"),
    (lambda: tensor_of(np.ones((1, 2, 0))), "nothing to write: the tensor has 1 neurons and 0"),
    (
        lambda: tensor_of(ONES, zero=[1, 5, 9]).assign_coords(align_time=("trial", [1, 5, np.nan])),
        "1 trials have no time",
    ),
    (
        lambda: tensor_of(ONES, zero=[1, 5, 9]).drop_vars("align_time").assign_attrs(align="x"),
        r"times on the session's clock \(go_time\).*align_time",
    ),
]


@pytest.mark.parametrize(("make", "words"), REFUSED, ids=[words[:30] for _, words in REFUSED])
def test_counts_that_cannot_be_spikes_are_refused(tmp_path, make, words):
    with pytest.raises(TensorError, match=words):
        pdn.write_nwb(tmp_path / "a.nwb", make())
    assert list(tmp_path.iterdir()) == []
