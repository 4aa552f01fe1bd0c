"""Rate networks: how the cost grows with neurons, trials, steps and threads."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.rate import G, Problem, in_turns, popdyn_run, simulate_run
from benchmarks.subject import Outcome


def measure_growth(n_runs: int = 5) -> Outcome:
    """Steps alone, single precision, one thread: microseconds per step against size."""
    outcome = Outcome("rate networks: microseconds per step, float32, one thread")
    for n_neurons in (50, 100, 200, 400, 1000, 2000):
        row: dict[str, object] = {"contestant": f"N={n_neurons}"}
        for n_trials in (1, 10, 100):
            n_steps = max(10, 200_000_000 // (n_neurons**2 * n_trials + 4000 * n_trials))
            problem = Problem(n_neurons, n_trials, min(n_steps, 5000))
            least = in_turns({"popdyn": popdyn_run(problem)}, n_runs)["popdyn"]
            row[f"{n_trials}_trials"] = round(1e6 * least / problem.n_steps, 2)
        outcome.rows.append(row)
    return outcome


def measure_dt(n_runs: int = 5) -> Outcome:
    """A whole simulation of 2 s x 100 trials in bins of 10 ms, against the step."""
    import xarray as xr

    import popdyn as pdn

    outcome = Outcome("rate networks: CPU seconds of simulate against the step, N=200 x 100, 2 s")
    for dt in (0.01, 0.005, 0.002, 0.001):
        net = pdn.network.Rate.random(200, g=G, tau=0.1, dt=dt, rng=0)
        inputs = np.random.default_rng(0).standard_normal((1, round(2.0 / dt), 100))
        dims = ("channel", "step_time", "trial")
        trials = xr.Dataset({"inputs": (dims, inputs)}, attrs={"dt": dt})
        runs = {}
        for dtype in ("float32", "float64"):
            for noise in (0.0, 0.1):

                def run(dtype=dtype, noise=noise, net=net, trials=trials):  # type: ignore[no-untyped-def]
                    how = {"dtype": dtype, "noise_density": noise}
                    return lambda: pdn.simulate(net, trials, **how)

                runs[f"{dtype}{', noise' if noise else ''}"] = run
        least = in_turns(runs, n_runs)
        row: dict[str, object] = {"contestant": f"dt={1000 * dt:g} ms"}
        outcome.rows.append(row | {name: round(value, 3) for name, value in least.items()})
    return outcome


def measure_threads(n_runs: int = 7) -> Outcome:
    """Two threads in the matrix product against one: wall time, on a quiet machine."""
    from threadpoolctl import threadpool_limits

    outcome = Outcome("rate networks: two threads against one, float32, wall microseconds per step")
    for n_neurons, n_trials, n_steps in ((200, 100, 200), (1000, 100, 40), (2000, 100, 15)):
        run = popdyn_run(Problem(n_neurons, n_trials, n_steps))
        least = {1: np.inf, 2: np.inf}
        for _ in range(n_runs):
            for n_threads in least:
                with threadpool_limits(n_threads):
                    loop = run()
                    start = time.perf_counter()
                    loop()
                    least[n_threads] = min(least[n_threads], time.perf_counter() - start)
        one, two = (round(1e6 * seconds / n_steps, 1) for seconds in least.values())
        row = {"one_thread": one, "two_threads": two, "times_faster": round(one / two, 2)}
        outcome.rows.append({"contestant": f"N={n_neurons} x {n_trials}", **row})
    outcome.remarks.append(
        "where other work keeps a core busy, two threads wait for each other and lose many times "
        "over: set OPENBLAS_NUM_THREADS=1 there"
    )
    return outcome


def measure_kernel(n_runs: int = 5) -> Outcome:
    """Where the compiled steps win over NumPy's: the reason they exist, and their limits."""
    outcome = Outcome("rate networks: compiled steps over NumPy's, times faster")
    for dtype in ("float32", "float64"):
        for n_neurons in (50, 200, 1000):
            row: dict[str, object] = {"contestant": f"N={n_neurons} {dtype}"}
            for n_trials in (1, 10, 100):
                n_steps = max(20, 400_000 // n_neurons // n_trials)
                problem = Problem(n_neurons, n_trials, n_steps, dtype)
                both = {str(c): popdyn_run(problem, c) for c in (False, True)}
                least = in_turns(both, n_runs)
                row[f"{n_trials}_trials"] = round(least["False"] / least["True"], 2)
            outcome.rows.append(row)
    return outcome


def measure_call(n_runs: int = 9) -> Outcome:
    """What a call of simulate costs that makes next to no steps."""
    outcome = Outcome("rate networks: milliseconds of a call of simulate with 3 steps")
    for n_neurons, n_trials in ((200, 1), (200, 100), (1000, 100)):
        run = simulate_run(Problem(n_neurons, n_trials, 3))
        seconds = in_turns({"popdyn": run}, n_runs)["popdyn"]
        case = f"N={n_neurons} x {n_trials}"
        outcome.rows.append({"contestant": case, "ms": round(1e3 * seconds, 2)})
    return outcome


SUBJECTS = {
    "rate_growth": measure_growth,
    "rate_dt": measure_dt,
    "rate_threads": measure_threads,
    "rate_kernel": measure_kernel,
    "rate_call": measure_call,
}
