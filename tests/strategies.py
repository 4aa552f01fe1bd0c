"""Hypothesis strategies shared by the tests: sessions, windows, tables."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from popdyn.tensor.session import make_session

text_columns = st.lists(st.text(max_size=6), min_size=4, max_size=4)
number_columns = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=4, max_size=4
)
names = st.text(min_size=1, max_size=8).filter(lambda name: name.strip() and "\x00" not in name)


@st.composite
def sessions(draw):
    """Sessions of a few neurons with gaps, trials in any order, overlapping windows."""
    n_neurons = draw(st.integers(1, 3))
    spikes = [
        draw(st.lists(st.floats(0, 20, width=32), max_size=40).map(sorted))
        for _ in range(n_neurons)
    ]
    events = draw(
        st.lists(st.one_of(st.floats(-1, 21), st.just(float("nan"))), min_size=1, max_size=6)
    )
    events[0] = draw(st.floats(0, 20))
    obs = draw(st.sampled_from(["all", "gaps"]))
    intervals = None
    if obs == "gaps":
        rows = draw(
            st.lists(
                st.tuples(st.floats(0, 20), st.floats(0, 8), st.integers(0, n_neurons - 1)),
                max_size=6,
            )
        )
        start = np.array([row[0] for row in rows])
        length = np.array([row[1] for row in rows])
        intervals = (start, start + length, np.array([row[2] for row in rows], dtype=int))
    starts = np.concatenate([[0], np.cumsum([len(times) for times in spikes])])
    flat = np.concatenate([np.asarray(times, dtype=float) for times in spikes])
    return make_session(
        flat,
        starts,
        trials={"go_time": events},
        obs=intervals,
        column_attrs={"go_time": {"units": "s", "clock": "session"}},
    )


windows = st.tuples(st.integers(-20, 20), st.integers(1, 30), st.sampled_from([0.05, 0.1, 0.25]))
