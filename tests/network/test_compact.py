"""Small files of trained spiking networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn

if TYPE_CHECKING:
    from pathlib import Path


def trained(n_neurons: int, rank: int, seed: int) -> pdn.network.Spiking:
    """Return a network as full-FORCE makes one: half of the neurons send learned currents."""
    generator = np.random.default_rng(seed)
    fast = np.full((n_neurons, n_neurons), -0.15)
    slow = np.zeros((n_neurons, n_neurons))
    spread = generator.standard_normal((n_neurons, rank))
    for matrix in (fast, slow):
        matrix[:, ::2] += spread @ generator.standard_normal((rank, n_neurons // 2))
    return pdn.network.Spiking(fast, slow, threshold=0.0, reset=-10.0, refractory=0.0)


@given(seed=st.integers(0, 99), rank=st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_a_compact_network_is_the_network_to_seven_digits(seed: int, rank: int) -> None:
    net = trained(40, rank, seed)
    back = pdn.network.Spiking.from_dataset(pdn.network.Compact(net).to_dataset())
    for name in ("recurrent_fast", "recurrent_slow", "input", "output_slow"):
        one, other = getattr(net, name), getattr(back, name)
        np.testing.assert_allclose(other, one, atol=2e-6 * max(1.0, np.abs(one).max()))
    assert (back.threshold, back.reset, back.dt) == (net.threshold, net.reset, net.dt)


def test_a_compact_file_is_small_and_loads_as_a_spiking_network(tmp_path: Path) -> None:
    net = trained(200, 10, 0)
    small = pdn.save(pdn.network.Compact(net), tmp_path / "small.nc")
    large = pdn.save(net, tmp_path / "large.nc")
    assert small.stat().st_size < 0.15 * large.stat().st_size
    back = pdn.load(small)
    assert isinstance(back, pdn.network.Spiking)
    again = pdn.load(pdn.save(pdn.network.Compact(back), tmp_path / "again.nc"))
    np.testing.assert_allclose(again.recurrent_fast, back.recurrent_fast, atol=1e-5)


def test_networks_of_full_rank_and_sparse_ones_are_refused() -> None:
    with pytest.raises(pdn.errors.TensorError, match=r"of 50 neurons have rank \d+: nothing"):
        pdn.network.Compact(pdn.network.Spiking.random(50, rng=0))
    with pytest.raises(pdn.errors.TensorError, match="sparse recurrent weights make small files"):
        pdn.network.Compact(pdn.network.Spiking.random(100, density=0.05, rng=0))


def test_a_compact_network_without_slow_synapses_has_none() -> None:
    net = pdn.network.Spiking(np.full((30, 30), -0.1))
    back = pdn.network.Spiking.from_dataset(pdn.network.Compact(net).to_dataset())
    assert back.recurrent_slow is None
    np.testing.assert_allclose(back.recurrent_fast, net.recurrent_fast, rtol=1e-6)
