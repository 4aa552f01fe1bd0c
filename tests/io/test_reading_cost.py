"""What reading costs: each column is read once, memory stays near that of the spikes."""

import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import popdyn as pdn
from benchmarks.fresh import counted_reads
from benchmarks.made_files import write_recording
from popdyn.io.coverage import count_outside
from popdyn.io.neurons import Neurons
from popdyn.io.tables import Table
from popdyn.tensor.session import early_spikes, pieces
from tests.io.range_server import RangeServer
from tests.io.recordings import HUMAN

N_SPIKES = 2_000_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """300 neurons, 2 M spikes (16 MB), and 6.4 MB of raw data that nobody asked for."""
    path = tmp_path_factory.mktemp("cost") / "recording.nwb"
    write_recording(path, n_neurons=300, n_spikes=N_SPIKES, n_trials=100, n_raw=100_000)
    return path


def columns_of(path, *tables):
    with h5py.File(path, "r") as file:
        return {f"/{table}/{name}" for table in tables for name in file[table]}


def test_the_counter_sees_every_way_in_which_h5py_reads(recording):
    with counted_reads() as counts, h5py.File(recording, "r") as file:
        data = file["units/quality"]
        data[()], data[:3], np.asarray(data), data.astype("f4")[:], list(data[:2])
        data.read_direct(np.empty(300))
    assert counts == {"/units/quality": 6}


def test_a_session_reads_every_column_of_its_tables_once_and_of_no_other():
    with counted_reads() as counts:
        pdn.read_session(HUMAN, "encoding_table")
    assert set(counts.values()) == {1}
    tables = {name.rsplit("/", 1)[0] for name in counts if "/intervals" in name}
    assert tables == {"/intervals/encoding_table"}
    assert columns_of(HUMAN, "intervals/encoding_table") <= set(counts)
    assert {"/units/spike_times", "/units/spike_times_index"} <= set(counts)
    assert not [name for name in counts if name.startswith(("/acquisition", "/stimulus"))]


def test_a_session_reads_the_columns_of_its_neurons_once(recording):
    with counted_reads() as counts:
        pdn.read_session(recording)
    wanted = columns_of(recording, "units", "intervals/trials")
    assert {name: n for name, n in counts.items() if name in wanted} == dict.fromkeys(wanted, 1)
    assert not [name for name in counts if name.startswith("/acquisition")]


def test_describing_reads_every_column_of_every_table_once():
    with counted_reads() as counts:
        pdn.describe_nwb(HUMAN)
    assert set(counts.values()) == {1}
    with h5py.File(HUMAN, "r") as file:
        tables = [f"intervals/{name}" for name in file["intervals"]]
    assert len(tables) == 3
    assert columns_of(HUMAN, *tables) <= set(counts)


def test_more_neurons_and_trials_are_not_read_more_often(tmp_path):
    """Nor more spikes: what is read is the number of columns."""
    seen = []
    for number, (n_neurons, n_spikes, n_trials) in enumerate([(3, 300, 5), (400, 40_000, 200)]):
        path = tmp_path / f"{number}.nwb"
        write_recording(path, n_neurons, n_spikes, n_trials)
        with counted_reads() as counts:
            session = pdn.read_session(path)
        assert session.sizes["neuron"] == n_neurons
        seen.append(counts)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("read", [pdn.read_session, pdn.describe_nwb])
def test_memory_stays_within_three_tenths_of_the_spikes_above_them(recording, read):
    read(recording)
    tracemalloc.start()
    try:
        read(recording)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 1.0 <= peak / (8 * N_SPIKES) <= 1.3


def test_an_address_serves_the_columns_and_little_else(recording):
    content = recording.read_bytes()
    with RangeServer(content) as server:
        session = pdn.read_session(server.address)
        n_bytes, n_requests = server.n_bytes, len(server.gets)
    assert session.sizes["spike"] == N_SPIKES
    assert 8 * N_SPIKES < n_bytes < 8 * N_SPIKES + 2_000_000
    assert len(content) - n_bytes > 4_000_000
    assert n_requests <= 20


times = st.lists(st.floats(0, 10, width=16), max_size=30)


@st.composite
def trains(draw):
    lists = draw(st.lists(times, min_size=1, max_size=4))
    starts = np.cumsum([0, *map(len, lists)])
    return np.array([time for own in lists for time in own], dtype=np.float64), starts


def neurons_of(spikes, starts):
    table = Table("neurons", np.arange(starts.size - 1), ())
    return Neurons(table, spikes, starts, None, 0)


@given(trains())
def test_order_and_extremes_are_those_of_each_neuron(train):
    spikes, starts = train
    own = [spikes[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]
    neurons = neurons_of(spikes, starts)
    assert neurons.n_unsorted == sum(int((np.diff(one) < 0).sum()) for one in own)
    lowest = [one.min() if one.size else np.nan for one in own]
    highest = [one.max() if one.size else np.nan for one in own]
    assert np.array_equal(neurons.extent, [lowest, highest], equal_nan=True)
    whole = (spikes.min(), spikes.max()) if spikes.size else (np.nan, np.nan)
    assert np.array_equal(neurons.span, whole, equal_nan=True)


@given(
    trains(),
    st.lists(st.tuples(st.floats(0, 10, width=16), st.floats(0, 5, width=16), st.integers(0, 3))),
)
def test_spikes_outside_their_intervals_are_counted_as_one_by_one(train, intervals):
    """Intervals may overlap, touch, repeat, lie in any order, and spikes too."""
    spikes, starts = train
    n_neurons = starts.size - 1
    kept = [(low, low + length, owner % n_neurons) for low, length, owner in intervals]
    start, stop, owner = (np.array([one[k] for one in kept]) for k in range(3))
    plain = 0
    for neuron, (a, b) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        mine = [(low, high) for low, high, of in kept if of == neuron]
        plain += sum(not any(low <= t <= high for low, high in mine) for t in spikes[a:b])
    obs = (start.astype(float), stop.astype(float), owner.astype(int))
    assert count_outside(neurons_of(spikes, starts), obs) == plain


@pytest.mark.parametrize("n_spikes", [0, 1, 2**17, 2**17 + 1, 2**18 + 3])
def test_order_is_looked_at_across_the_edges_of_pieces(n_spikes):
    falling = np.arange(n_spikes, 0, -1.0)
    found = early_spikes(falling, np.array([0, n_spikes]))
    assert np.array_equal(found, np.arange(1, max(n_spikes, 1)))
    assert sum(part.size for part in pieces(falling)) == n_spikes
