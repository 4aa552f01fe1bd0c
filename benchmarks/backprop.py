"""Loss and gradient of a batch of trials: low-rank and full-rank networks of tanh neurons.

Single precision, one thread, CPU seconds, the least of several runs in turns: other work on the
machine only adds.  ``LINT loop`` makes the steps as the published code for torch does
(adrian-valente/lowrank_inference): noise on every state and step, outputs put into their array one
step at a time; ``popdyn, noise`` is its match.  ``torch`` is a leaner loop of ours without noise,
and jax scans the same step and compiles it; ``popdyn`` is the match of these.  Trials lie in memory
before the clock starts; popdyn's figures include turning weights and trials into single precision.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.rate import in_turns
from benchmarks.subject import Bar, Outcome

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

SHARE, NOISE = 0.2, 0.05
# trials, steps
LOW_RANK = ((32, 100), (64, 200))
FULL_RANK = ((64, 200),)
_N_LOW, _RANK, _N_FULL = 512, 2, 256
_NOISY = ("LINT loop", "popdyn, noise")
_NOISE_COSTS = (
    "with noise on both sides, which takes almost half of the time (2 ns a number); the bar is "
    "of a kernel without noise, and of a run in which torch took 101 ms for 32 trials x 100 steps"
)
_TORCH_IS_FASTER = (
    "6.7 to 8.5 times in five runs: torch takes 29 to 36 ms for 32 trials x 100 steps where it "
    "took 101 when the bar was set, popdyn 3.4 to 4.4 where its design took 7.2"
)
_VARIES = (
    "with noise on both sides; in five runs the published loop took 82 to 116 ms and popdyn 64 to "
    "75 (matrix products are the same ones), 1.2 to 1.55 times"
)


class Problem:
    """Weights, trials and targets; of rank 0 the recurrent weights are full."""

    def __init__(self, n_neurons: int, rank: int, n_trials: int, n_steps: int) -> None:
        rng = np.random.default_rng(0)
        n = n_neurons
        self.rank, self.n_neurons, self.n_trials, self.n_steps = rank, n, n_trials, n_steps
        self.weights = {"input": rng.standard_normal((n, 1))}
        if rank:
            self.weights |= {name: rng.standard_normal((n, rank)) for name in ("m", "n")}
            self.weights["output"] = rng.standard_normal((1, n))
        else:
            self.weights["recurrent"] = rng.standard_normal((n, n)) / np.sqrt(n)
            self.weights["output"] = rng.standard_normal((1, n)) / n
        self.inputs = rng.standard_normal((n_trials, n_steps, 1))
        self.target = rng.standard_normal((n_trials, n_steps, 1))


def popdyn_run(
    problem: Problem, dtype: str = "float32", noise_step: float = 0.0
) -> Callable[[], Any]:
    from popdyn.train.backprop_gradient import Circuit, loss_and_gradient
    from popdyn.train.backprop_loss import Lesson

    n_trials, n_steps = problem.n_trials, problem.n_steps
    weight = np.full(problem.target.shape, 1 / problem.target.size)
    keys = np.zeros(n_trials, np.uint64)
    lesson = Lesson(problem.inputs, problem.target, weight, np.full(n_trials, n_steps), keys)
    share, gain = np.full(problem.n_neurons, SHARE), np.ones(problem.n_neurons)
    circuit = Circuit(share, gain, "tanh", noise_step=noise_step, dtype=dtype)
    return lambda: partial(loss_and_gradient, problem.weights, circuit, lesson)


def torch_run(problem: Problem, dtype: str = "float32", lint: bool = False) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(1)
    kind = getattr(torch, dtype)
    p = {
        name: torch.tensor(values, dtype=kind, requires_grad=True)
        for name, values in problem.weights.items()
    }
    u, y = (torch.tensor(a, dtype=kind) for a in (problem.inputs, problem.target))
    n = problem.n_neurons

    def heard(r: Any) -> Any:
        if problem.rank:
            return r.matmul(p["n"]).matmul(p["m"].t()) / n
        return r.matmul(p["recurrent"].t())

    def published() -> Any:
        h = torch.zeros(problem.n_trials, n, dtype=kind)
        r = torch.tanh(h)
        noise = torch.randn(problem.n_trials, problem.n_steps, n, dtype=kind)
        z = torch.zeros(problem.n_trials, problem.n_steps, 1, dtype=kind)
        for t in range(problem.n_steps):
            into = -h + heard(r) + u[:, t, :].matmul(p["input"].t())
            h = h + NOISE * noise[:, t, :] + SHARE * into
            r = torch.tanh(h)
            z[:, t, :] = r.matmul(p["output"].t()) / (n if problem.rank else 1)
        return z

    def lean() -> Any:
        h = torch.zeros(problem.n_trials, n, dtype=kind)
        r = torch.tanh(h)
        rates = []
        for t in range(problem.n_steps):
            h = h + SHARE * (-h + heard(r) + u[:, t].matmul(p["input"].t()))
            r = torch.tanh(h)
            rates.append(r)
        return torch.stack(rates, dim=1).matmul(p["output"].t()) / (n if problem.rank else 1)

    def run() -> tuple[float, dict[str, Any]]:
        loss = (((published() if lint else lean()) - y) ** 2).mean()
        slopes = torch.autograd.grad(loss, list(p.values()))
        return loss.item(), dict(zip(p, (slope.numpy() for slope in slopes), strict=True))

    return lambda: run


def jax_run(problem: Problem) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    n = problem.n_neurons
    p = {name: jnp.asarray(a, "float32") for name, a in problem.weights.items()}
    u, y = (jnp.asarray(a.transpose(1, 0, 2), "float32") for a in (problem.inputs, problem.target))

    def loss_of(p: Any) -> Any:
        def step(h: Any, u_t: Any) -> tuple[Any, Any]:
            r = jnp.tanh(h)
            heard = r @ p["n"] @ p["m"].T / n if problem.rank else r @ p["recurrent"].T
            h = h + SHARE * (-h + heard + u_t @ p["input"].T)
            return h, jnp.tanh(h) @ p["output"].T / (n if problem.rank else 1)

        _, z = jax.lax.scan(step, jnp.zeros((problem.n_trials, n), "float32"), u)
        return ((z - y) ** 2).mean()

    gradient = jax.jit(jax.value_and_grad(loss_of))

    def run() -> tuple[float, dict[str, Any]]:
        loss, slopes = gradient(p)
        return float(loss), {name: np.asarray(slope) for name, slope in slopes.items()}

    return lambda: run


def numpy_run(problem: Problem) -> Callable[[], Any]:
    p = {name: a.astype(np.float32) for name, a in problem.weights.items()}
    u, y = (a.transpose(1, 0, 2).astype(np.float32) for a in (problem.inputs, problem.target))
    n, share, scale = problem.n_neurons, np.float32(SHARE), np.float32(1 / problem.n_neurons)
    output = p["output"] * scale if problem.rank else p["output"]

    def ahead(r: Any) -> Any:
        return (r @ p["n"] * scale) @ p["m"].T if problem.rank else r @ p["recurrent"].T

    def back(g: Any) -> Any:
        return (g @ p["m"] * scale) @ p["n"].T if problem.rank else g @ p["recurrent"]

    def run() -> tuple[float, dict[str, Any]]:
        r = np.zeros((problem.n_steps + 1, problem.n_trials, n), np.float32)
        h = np.zeros_like(r[0])
        for t in range(problem.n_steps):
            h = h + share * (-h + ahead(r[t]) + u[t] @ p["input"].T)
            np.tanh(h, out=r[t + 1])
        miss = r[1:] @ output.T - y
        e = miss * np.float32(2 / miss.size)
        d = {name: np.zeros_like(a) for name, a in p.items()}
        d["output"] = np.tensordot(e, r[1:], ([0, 1], [0, 1])) * (scale if problem.rank else 1)
        g = np.zeros_like(h)
        for t in range(problem.n_steps - 1, -1, -1):
            g = (1 - share) * g + (e[t] @ output + back(share * g)) * (1 - r[t + 1] ** 2)
            slope = share * g
            d["input"] += slope.T @ u[t]
            if problem.rank:
                d["m"] += slope.T @ (r[t] @ p["n"] * scale)
                d["n"] += r[t].T @ (slope @ p["m"] * scale)
            else:
                d["recurrent"] += slope.T @ r[t]
        return float((miss**2).mean()), d

    return lambda: run


def entrants(outcome: Outcome) -> dict[str, Callable[[Problem], Callable[[], Any]]]:
    """Those that are installed; of the others a remark."""
    found = {"popdyn": popdyn_run, "NumPy": numpy_run}
    for name, runs in (
        ("torch", {"torch": torch_run, "LINT loop": partial(torch_run, lint=True)}),
        ("jax", {"jax": jax_run}),
    ):
        if importlib.util.find_spec(name) is None:
            outcome.remarks.append(f"{name} is not installed: skipped")
        else:
            found |= runs
    return {**found, "popdyn, noise": partial(popdyn_run, noise_step=NOISE)}


def measure(rank: int, n_runs: int = 3) -> Outcome:
    """Race, after a check that all compute the same."""
    n_neurons, cases = (_N_LOW, LOW_RANK) if rank else (_N_FULL, FULL_RANK)
    what = f"rank {rank}" if rank else "full rank"
    outcome = Outcome(f"loss and gradient of a batch: {what}, {n_neurons} neurons, float32")
    made = entrants(outcome)
    bars = {"LINT loop": 8.0, "jax": 2.0} if rank else {"LINT loop": 1.4, "jax": 1.1}
    for n_trials, n_steps in cases:
        problem = Problem(n_neurons, rank, n_trials, n_steps)
        runs = {name: run(problem) for name, run in made.items()}
        _check_alike({name: runs[name]()() for name in runs if name not in _NOISY})
        least = in_turns(runs, n_runs)
        case = f"{n_trials} trials x {n_steps} steps"
        for name, seconds in least.items():
            outcome.rows.append(
                {"contestant": name, "case": case, "cpu_ms_least": round(1e3 * seconds, 3)}
            )
        for name in (name for name in bars if name in least):
            ours = least["popdyn, noise" if name in _NOISY else "popdyn"]
            ratio = round(least[name] / ours, 2)
            text = f"times faster than {name}, {case}"
            why = (_NOISE_COSTS if rank else _VARIES) if name in _NOISY else ""
            outcome.bars.append(Bar(text, ratio, bars[name], at_most=False, why=why))
        if rank and "LINT loop" in least:
            ratio = round(least["LINT loop"] / least["popdyn"], 2)
            text = f"times faster than LINT loop, ours without noise, {case}"
            outcome.bars.append(Bar(text, ratio, 8.0, at_most=False, why=_TORCH_IS_FASTER))
        if "torch" in least:
            ratio = least["torch"] / least["popdyn"]
            outcome.remarks.append(f"{case}: {ratio:.1f} times faster than the lean loop of torch")
    if "torch" in made:
        worst = _from_autograd(Problem(n_neurons, rank, 8, 50))
        outcome.bars.append(Bar("largest relative difference from autograd, float64", worst, 1e-12))
    return outcome


def _check_alike(found: dict[str, Any]) -> None:
    loss, gradient = found["popdyn"]
    for name, (other, slopes) in found.items():
        worst = max(_difference(gradient[key], slopes[key]) for key in gradient)
        if abs(other / loss - 1) > 1e-4 or worst > 1e-3:
            message = f"{name} differs from popdyn by {worst:.2g}"
            raise ValueError(message)


def _from_autograd(problem: Problem) -> float:
    """Largest relative difference of any gradient from that of torch, in double precision."""
    _, ours = popdyn_run(problem, "float64")()()
    _, theirs = torch_run(problem, "float64")()()
    return max(_difference(ours[name], theirs[name]) for name in ours)


def _difference(one: Any, other: Any) -> float:
    return float(np.abs(one - other).max() / np.abs(other).max())


SUBJECTS = {
    "backprop_low_rank": lambda: measure(_RANK),
    "backprop_full_rank": lambda: measure(0),
}
