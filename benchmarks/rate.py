"""Rate networks: tanh, Euler steps, one input channel, no noise; microseconds per step.

On one thread, in CPU seconds, the least of several runs in turns: other work on the machine only
adds.  All contestants make the same steps from the same states.  ``popdyn`` are the steps of
`popdyn.simulation.steps.evolve_blocks` alone, as those of the others are, which keep the last
rates; ``popdyn simulate`` is a whole call, which keeps all rates in bins of a step, and labels.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.subject import Bar, Outcome

# Before jax starts: one thread, as for everybody.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

SHARE, G = 0.1, 1.5
Loop = Callable[[], object]
# Called before the clock starts, gives the loop to be timed.
Run = Callable[[], Loop]


class Problem:
    """The network, the inputs and the first state of a race."""

    def __init__(self, n_neurons: int, n_trials: int, n_steps: int, dtype: str = "float32") -> None:
        from popdyn.network import Rate

        self.net = Rate.random(n_neurons, g=G, tau=0.1, dt=0.1 * SHARE, rng=0)
        rng = np.random.default_rng(0)
        self.inputs = rng.standard_normal((n_steps, n_trials, 1))
        self.start = rng.standard_normal((n_trials, n_neurons))
        self.dtype = np.dtype(dtype)
        self.n_steps = n_steps

    def cast(self, array: np.ndarray) -> np.ndarray:
        """An array in the precision of the race."""
        return np.ascontiguousarray(array, dtype=self.dtype)


def popdyn_run(problem: Problem, compiled: bool | None = None) -> Run:
    from popdyn.simulation.steps import evolve_blocks

    def run() -> Loop:
        blocks = evolve_blocks(
            problem.net, problem.inputs, problem.start, dtype=problem.dtype.name, compiled=compiled
        )
        return lambda: deque(blocks, maxlen=1)[0].rates[-1]

    return run


def simulate_run(problem: Problem) -> Run:
    import xarray as xr

    import popdyn as pdn

    dims = ("channel", "step_time", "trial")
    inputs = problem.inputs.transpose(2, 0, 1)
    trials = xr.Dataset({"inputs": (dims, inputs)}, attrs={"dt": problem.net.dt})
    how: dict[str, Any] = {"dtype": problem.dtype.name, "tile": inputs.shape[2]}
    how |= {"bin_width": problem.net.dt, "initial_state": problem.start.T}
    return lambda: lambda: pdn.simulate(problem.net, trials, **how)


def copy_run(problem: Problem) -> Run:
    """What every simulation must do beside its steps: put rates by neuron, step and trial."""
    n_steps, (n_trials, n_neurons) = problem.n_steps, problem.start.shape
    block = problem.cast(np.ones((8, n_trials, n_neurons)))

    def run() -> object:
        kept = np.full((n_neurons, n_steps, n_trials), np.nan, dtype=np.float32)
        for first in range(0, n_steps, 8):
            part = kept[:, first : first + 8]
            part[:] = block[: part.shape[1]].transpose(2, 0, 1)
        return kept

    return lambda: run


def numpy_run(problem: Problem) -> Run:
    net, cast = problem.net, problem.cast
    recurrent, into = cast(SHARE * net.recurrent.T), cast(SHARE * net.input.T)
    bias, inputs = cast(SHARE * net.bias), cast(problem.inputs)
    keep = problem.dtype.type(1 - SHARE)

    def run() -> np.ndarray:
        x = cast(problem.start).copy()
        r = np.tanh(x)
        for u in inputs:
            x *= keep
            x += r @ recurrent
            x += u @ into
            x += bias
            r = np.tanh(x)
        return r

    return lambda: run


def torch_run(problem: Problem) -> Run:
    import torch

    torch.set_num_threads(1)
    net, cast = problem.net, problem.cast
    recurrent, into, bias, inputs, start = (
        torch.from_numpy(cast(a))
        for a in (
            SHARE * net.recurrent.T, SHARE * net.input.T, SHARE * net.bias, problem.inputs,
            problem.start,
        )
    )  # fmt: skip

    @torch.no_grad()
    def run() -> np.ndarray:
        x = start.clone()
        r = torch.tanh(x)
        for u in inputs:
            x.mul_(1 - SHARE).add_(bias).addmm_(u, into).addmm_(r, recurrent)
            r = torch.tanh(x)
        return r.numpy()

    return lambda: run


def jax_run(problem: Problem) -> Run:
    import jax

    jax.config.update("jax_enable_x64", problem.dtype == np.float64)
    net, cast = problem.net, problem.cast
    recurrent, into, bias, inputs, start = map(
        jax.numpy.asarray,
        map(cast, (SHARE * net.recurrent.T, SHARE * net.input.T, SHARE * net.bias, problem.inputs,
                   problem.start)),
    )  # fmt: skip

    def step(x: Any, u: Any) -> tuple[Any, None]:
        return (1 - SHARE) * x + jax.numpy.tanh(x) @ recurrent + u @ into + bias, None

    loop = jax.jit(lambda x, u: jax.numpy.tanh(jax.lax.scan(step, x, u)[0]))
    return lambda: lambda: np.asarray(loop(start, inputs).block_until_ready())


CONTESTANTS = {"popdyn": popdyn_run, "NumPy": numpy_run, "torch": torch_run, "jax": jax_run}


def contestants(outcome: Outcome) -> dict[str, Callable[[Problem], Run]]:
    """Those that are installed; the others are named."""
    for name in ("torch", "jax"):
        if importlib.util.find_spec(name) is None:
            outcome.remarks.append(f"{name} is not installed: skipped")
    return {
        name: make
        for name, make in CONTESTANTS.items()
        if name in ("popdyn", "NumPy") or importlib.util.find_spec(name) is not None
    }


def in_turns(runs: dict[str, Run], n_runs: int) -> dict[str, float]:
    """Least CPU seconds of each, taking turns; the first call of each is not counted."""
    from threadpoolctl import threadpool_limits

    least = dict.fromkeys(runs, np.inf)
    with threadpool_limits(1):
        for turn in range(n_runs + 1):
            for name, run in runs.items():
                loop = run()
                start = time.process_time()
                loop()
                if turn:
                    least[name] = min(least[name], time.process_time() - start)
    return least


def gemm_seconds(n_neurons: int, n_trials: int, dtype: np.dtype) -> float:
    """CPU seconds of the matrix product of one step by itself."""
    from threadpoolctl import threadpool_limits

    a, b = np.ones((n_trials, n_neurons), dtype), np.ones((n_neurons, n_neurons), dtype)
    n_calls = max(3, int(2e9 / a.size / n_neurons / 4))
    with threadpool_limits(1):
        a @ b
        seconds = []
        for _ in range(5):
            start = time.process_time()
            for _ in range(n_calls):
                a @ b
            seconds.append((time.process_time() - start) / n_calls)
    return min(seconds)


# (neurons, trials, steps); bars are those of single precision.
CASES = ((200, 1, 20_000), (200, 100, 600), (1000, 100, 100), (1000, 1, 2000))
_WHY_SIMULATE = "bins, checks and labels sweep once more over what the steps have written"
_WHY_BATCH = "OpenBLAS packs the weights anew at each step; the sweep over the states adds 9 %"


def measure(n_runs: int = 7) -> Outcome:
    """The race, in single and double precision."""
    outcome = Outcome("rate networks: tanh, Euler, one thread, microseconds per step")
    able = contestants(outcome)
    for n_neurons, n_trials, n_steps in CASES:
        for dtype in ("float32", "float64"):
            problem = Problem(n_neurons, n_trials, n_steps, dtype)
            runs = {name: make(problem) for name, make in able.items()}
            _check_alike(runs, dtype)
            whole = {"popdyn simulate": simulate_run(problem), "copy": copy_run(problem)}
            least = in_turns(runs | whole, n_runs)
            copied = least.pop("copy")
            product = gemm_seconds(n_neurons, n_trials, problem.dtype) * n_steps
            case = f"N={n_neurons} x {n_trials} {dtype}"
            n_bytes = n_neurons**2 * problem.dtype.itemsize * n_steps
            for name, seconds in least.items():
                outcome.rows.append(
                    {
                        "contestant": f"{name}, {case}",
                        "us_per_step": round(1e6 * seconds / n_steps, 2),
                        "share_of_the_matrix_product_alone": round(product / seconds, 2),
                        "weights_read_GB_per_s": round(n_bytes / seconds / 1e9, 1),
                    }
                )
            outcome.bars.append(_bar_of_simulate(case, least, copied))
            if dtype == "float32":
                outcome.bars.extend(_bars(n_neurons, n_trials, least))
            _say_who_leads(outcome, case, least)
    return outcome


def _bar_of_simulate(case: str, least: dict[str, float], copied: float) -> Bar:
    """A whole simulation beside its steps and the copy."""
    ratio = least["popdyn simulate"] / (1.3 * least["popdyn"] + copied)
    text = f"{case}: simulate over 1.3 times its steps and a copy of the rates"
    return Bar(text, round(ratio, 2), 1.0, why=_WHY_SIMULATE)


def _say_who_leads(outcome: Outcome, case: str, least: dict[str, float]) -> None:
    """A remark where another program makes the steps faster."""
    best = min((name for name in least if name != "popdyn simulate"), key=least.__getitem__)
    if best != "popdyn":
        ratio = least["popdyn"] / least[best]
        outcome.remarks.append(f"{case}: {best} leads, {ratio:.2f} times faster than popdyn")


def _check_alike(runs: dict[str, Run], dtype: str) -> None:
    """Contestants must reach the same rates."""
    first, *others = (run()() for run in runs.values())
    for other in others:
        # Chaos: rounding of single precision has grown after thousands of steps.
        far = np.abs(other - first).max()
        if dtype == "float64" and len(first) > 1 and far > 1e-6:
            message = f"contestants differ by {far:g}"
            raise RuntimeError(message)


def _bars(n_neurons: int, n_trials: int, least: dict[str, float]) -> list[Bar]:
    """What is to be reached in one case."""
    own = least["popdyn"]
    case = f"N={n_neurons} x {n_trials}, float32"
    if (n_neurons, n_trials) == (200, 1):
        limits = {"NumPy": 2.0, "torch": 3.0}
        return [
            Bar(f"{case}: times faster than {name}", round(least[name] / own, 2), limit, False)
            for name, limit in limits.items()
            if name in least
        ]
    if (n_neurons, n_trials) == (1000, 100):
        best = min(seconds for name, seconds in least.items() if not name.startswith("popdyn"))
        text = f"{case}: seconds over the best of the others"
        return [Bar(text, round(own / best, 3), 1.15, why=_WHY_BATCH)]
    return []


SUBJECTS = {"rate": measure}
