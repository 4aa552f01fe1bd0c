"""What analyses hold beside a tensor: one copy of it at most, whatever their slabs."""

import tracemalloc

import numpy as np
import pytest

import popdyn as pdn
from popdyn.analysis import (
    slabs,
    statespace_result,
    statespace_samples,
    tdr_permutation,
    tdr_samples,
)

NAMES = ["stimulus", "choice"]
# Analysis, and the most it may hold over the size of the tensor.
CASES = {
    "encoding": (lambda x: pdn.encoding(x, NAMES), 0.6),
    "decode": (lambda x: pdn.decode(x, "choice", n_draws=2), 0.9),
    "timescale": (lambda x: pdn.timescale(x, max_lag=0.2, n_draws=5), 0.6),
    # A copy, and 0.4 MB that do not grow with the tensor.
    "TDR": (lambda x: pdn.TDR(NAMES, n_splits=1, n_draws=5).fit(x), 1.6),
}


def tensor(n_neurons, kind):
    rng = np.random.default_rng(4)
    trials = {"stimulus": np.arange(200) % 3 - 1.0, "choice": np.arange(200) // 3 % 2 * 2 - 1.0}
    counts = rng.poisson(2.0, size=(n_neurons, 50, 200)).astype("float32")
    unit = "1" if kind == "spike_count" else "Hz"
    return pdn.make_tensor(counts, 0.02 * np.arange(50), trials, name=kind, units=unit)


@pytest.mark.parametrize("kind", ["rate", "spike_count"])
@pytest.mark.parametrize("name", CASES)
def test_an_analysis_holds_one_copy_of_its_tensor_at_most(name, kind, monkeypatch):
    for module in (slabs, statespace_result, statespace_samples, tdr_samples):
        monkeypatch.setattr(module, "_SLAB", 2**14)
    monkeypatch.setattr(tdr_permutation, "_BATCH", 2**14)
    run, most = CASES[name]
    run(tensor(5, kind))
    x = tensor(100, kind)
    tracemalloc.start()
    run(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < most * x.nbytes
