"""Rate networks: tanh, Euler steps, one input channel, no noise; microseconds per step.

Loops only, on one thread, in CPU seconds, the least of several runs in turns: other work on the
machine only adds.  All contestants make the same steps and keep the rates of the last.  The figures
of `popdyn.simulation.steps.evolve` are those of its steps; those of `simulate` hold the
bins, the output of every step and the labels as well.
"""

from __future__ import annotations

import importlib.util
import os
import sys
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


def popdyn_run(problem: Problem) -> Run:
    from popdyn.simulation.steps import evolve

    def run() -> Loop:
        steps = evolve(problem.net, problem.inputs, problem.start, dtype=problem.dtype.name)
        return lambda: deque(steps, maxlen=1)[0]

    return run


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
CASES = ((200, 1, 4000), (200, 100, 200), (1000, 100, 40), (1000, 1, 500))


def measure(n_runs: int = 9) -> Outcome:
    """The race, in single and double precision."""
    outcome = Outcome("rate networks: tanh, Euler, one thread, microseconds per step")
    able = contestants(outcome)
    for n_neurons, n_trials, n_steps in CASES:
        for dtype in ("float32", "float64"):
            problem = Problem(n_neurons, n_trials, n_steps, dtype)
            runs = {name: make(problem) for name, make in able.items()}
            _check_alike(runs, dtype)
            least = in_turns(runs, n_runs)
            product = gemm_seconds(n_neurons, n_trials, problem.dtype) * n_steps
            case = f"N={n_neurons} x {n_trials} {dtype}"
            for name, seconds in least.items():
                outcome.rows.append(
                    {
                        "contestant": f"{name}, {case}",
                        "us_per_step": round(1e6 * seconds / n_steps, 2),
                        "share_of_the_matrix_product_alone": round(product / seconds, 2),
                    }
                )
            if dtype == "float32":
                outcome.bars.extend(_bars(n_neurons, n_trials, least))
    return outcome


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
        best = min(seconds for name, seconds in least.items() if name != "popdyn")
        return [Bar(f"{case}: seconds over the best of the others", round(own / best, 3), 1.15)]
    return []


def measure_kernel(n_runs: int = 9) -> Outcome:
    """Where the compiled steps win over NumPy's: the reason they exist, and their limits."""
    from popdyn.simulation.steps import evolve

    outcome = Outcome("rate networks: compiled steps over NumPy's, times faster")
    for dtype in ("float32", "float64"):
        for n_neurons in (50, 100, 200, 400, 1000):
            row: dict[str, object] = {"contestant": f"N={n_neurons} {dtype}"}
            for n_trials in (1, 2, 4, 10):
                problem = Problem(n_neurons, n_trials, max(20, 400_000 // n_neurons // n_trials))

                def run(compiled: bool, problem: Problem = problem, dtype: str = dtype) -> Loop:
                    steps = evolve(
                        problem.net, problem.inputs, problem.start, dtype=dtype, compiled=compiled
                    )
                    return lambda: deque(steps, maxlen=1)

                both = {str(c): lambda c=c, run=run: run(c) for c in (False, True)}
                least = in_turns(both, n_runs)
                row[f"{n_trials}_trials"] = round(least["False"] / least["True"], 2)
            outcome.rows.append(row)
    return outcome


def measure_simulate(n_runs: int = 5) -> Outcome:
    """What a whole `simulate` costs per step, beside its steps alone."""
    import popdyn as pdn

    outcome = Outcome("rate networks: simulate beside its steps alone, microseconds per step")
    for n_neurons, n_trials, seconds in ((200, 1, 20.0), (200, 100, 1.0), (1000, 100, 0.2)):
        for dtype in ("float64", "float32"):
            problem = Problem(n_neurons, n_trials, round(seconds / 0.01), dtype)
            trials = _trials(problem)

            def run(net: Any = problem.net, trials: Any = trials, dtype: str = dtype) -> Loop:
                return lambda: pdn.simulate(net, trials, dtype=dtype)

            least = in_turns({"simulate": run, "steps": popdyn_run(problem)}, n_runs)
            outcome.rows.append(
                {
                    "contestant": f"N={n_neurons} x {n_trials} {dtype}",
                    **{k: round(1e6 * v / problem.n_steps, 2) for k, v in least.items()},
                }
            )
    return outcome


def _trials(problem: Problem) -> Any:
    """The inputs of a race as trials."""
    import xarray as xr

    inputs = problem.inputs.transpose(2, 0, 1)
    dims = ("channel", "step_time", "trial")
    return xr.Dataset({"inputs": (dims, inputs)}, attrs={"dt": problem.net.dt})


SUBJECTS = {"rate": measure, "rate_kernel": measure_kernel, "rate_simulate": measure_simulate}

if __name__ == "__main__":
    from benchmarks.__main__ import table

    for name in sys.argv[1:] or SUBJECTS:
        print(table(SUBJECTS[name]()))
