"""Low-rank networks: the cost of a step grows with neurons times ranks, not with their square."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import popdyn as pdn
from benchmarks.rate import in_turns
from benchmarks.subject import Bar, Outcome
from popdyn.simulation.steps import evolve_blocks

_N_TRIALS = 32
_SIZES = (500, 1000, 2000, 4000, 8000)
_RANKS = (1, 2, 8, 32)


def steps_of(net: Any, n_steps: int) -> Callable[[], Callable[[], None]]:
    """Steps of all trials under an input that varies: states that decay to nothing are slow."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((n_steps, _N_TRIALS, 1))
    start = rng.standard_normal((_N_TRIALS, net.n_neurons))

    def loop() -> None:
        for _ in evolve_blocks(net, inputs, start):
            pass

    return lambda: loop


def measure_growth(n_runs: int = 5) -> Outcome:
    """Microseconds per step against neurons and ranks, and those of full weights."""
    outcome = Outcome(f"low-rank networks: microseconds per step of {_N_TRIALS} trials, float64")
    table = {}
    for n_neurons in _SIZES:
        nets: dict[str, Any] = {
            f"rank_{rank}": pdn.network.LowRank.random(n_neurons, n_ranks=rank) for rank in _RANKS
        }
        if n_neurons <= 2000:
            nets["full"] = nets["rank_2"].to_rate()
        n_steps = max(10, 1_000_000 // (_N_TRIALS * n_neurons))
        least = in_turns({name: steps_of(net, n_steps) for name, net in nets.items()}, n_runs)
        table[n_neurons] = {name: 1e6 * least[name] / n_steps for name in nets}
        rounded = {name: round(value, 1) for name, value in table[n_neurons].items()}
        outcome.rows.append({"contestant": f"N={n_neurons}", **rounded})
    for rank in (2, 32):
        name = f"rank_{rank}"
        power = np.log(table[8000][name] / table[1000][name]) / np.log(8)
        text = f"power of N at which time grows from 1,000 to 8,000 neurons, rank {rank}"
        outcome.bars.append(Bar(text, float(power), 1.2))
    ratio = table[2000]["full"] / table[2000]["rank_2"]
    outcome.bars.append(
        Bar("N=2000: full weights over loadings of rank 2", ratio, 4, at_most=False)
    )
    return outcome


SUBJECTS = {"low_rank_growth": measure_growth}
