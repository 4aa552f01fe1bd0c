"""Gradients by torch's autograd, kept in ``torch_gradients.npz`` for where torch is not installed.

Written by ``python -m tests.oracles.torch_gradients`` in an environment with torch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

KEPT = Path(__file__).with_name("torch_gradients.npz")
# name: rank (0 for full), nonlinearity, what is held to targets, Poisson.
CASES = {
    "rank_2_tanh_output": (2, "tanh", "output", False),
    "rank_1_softplus_rate": (1, "softplus", "rate", False),
    "rank_2_tanh_state_poisson": (2, "tanh", "state", True),
    "rank_1_erf_output": (1, "erf", "output", False),
    "full_tanh_output": (0, "tanh", "output", False),
    "full_sigmoid_rate_poisson": (0, "sigmoid", "rate", True),
    "full_relu_state": (0, "relu", "state", False),
}
N_TRIALS, N_STEPS, N, N_INPUTS, N_OUTPUTS = 5, 12, 17, 2, 3


def problem(name):
    """Parameters, constants and trials of a case, from a stream that never changes."""
    rank, _, held, counts = CASES[name]
    rng = np.random.Generator(np.random.PCG64(sorted(CASES).index(name)))

    def normal(*shape):
        return rng.standard_normal(shape)

    p = {
        "input": normal(N, N_INPUTS),
        "output": normal(N_OUTPUTS, N),
        "output_bias": normal(N_OUTPUTS),
        "bias": 0.1 * normal(N),
        "initial": 0.5 * normal(N),
        "scale": 1 + 0.2 * normal(N),
        "offset": 0.1 * normal(N),
    }
    p |= {"m": normal(N, rank), "n": normal(N, rank)} if rank else {"recurrent": normal(N, N) / 4}
    n_channels = N_OUTPUTS if held == "output" else N
    n_steps = rng.integers(6, N_STEPS + 1, N_TRIALS)
    shape = (N_TRIALS, N_STEPS, n_channels)
    weight = rng.random(shape) * (rng.random(shape) < 0.6)
    weight *= (np.arange(N_STEPS) < n_steps[:, None])[..., None]
    target = rng.poisson(1.0, shape).astype(float) if counts else normal(*shape)
    return {
        "parameters": p,
        "share": rng.uniform(0.1, 0.4, N),
        "gain": rng.uniform(0.6, 1.3, N),
        "inputs": normal(N_TRIALS, N_STEPS, N_INPUTS),
        "noise": 0.05 * normal(N_TRIALS, N_STEPS, N),
        "target": target,
        "weight": weight,
        "n_steps": n_steps,
        "activity": 0.3,
    }


def by_autograd(name):
    """Loss and gradients of a case."""
    import torch

    functions = {
        "tanh": torch.tanh,
        "softplus": torch.nn.functional.softplus,
        "erf": torch.erf,
        "sigmoid": torch.sigmoid,
        "relu": torch.relu,
    }
    rank, nonlinearity, held, counts = CASES[name]
    given = problem(name)
    p = {key: torch.tensor(a, requires_grad=True) for key, a in given["parameters"].items()}
    share, gain, u, noise, y, w = (
        torch.tensor(given[key]) for key in ("share", "gain", "inputs", "noise", "target", "weight")
    )
    f = functions[nonlinearity]
    x = p["initial"].expand(N_TRIALS, N)
    loss, squares = 0.0, 0.0
    for t in range(N_STEPS):
        r = f(gain * x)
        heard = (r @ p["n"]) @ p["m"].T / N if rank else r @ p["recurrent"].T
        x = x + share * (-x + heard + u[:, t] @ p["input"].T + p["bias"]) + noise[:, t]
        r = f(gain * x)
        inside = torch.tensor(t < given["n_steps"])[:, None]
        squares = squares + (inside * r**2).sum()
        if held == "output":
            z = r @ p["output"].T / (N if rank else 1) + p["output_bias"]
        else:
            z = p["scale"] * (r if held == "rate" else x) + p["offset"]
        part = torch.exp(z) - y[:, t] * z if counts else (z - y[:, t]) ** 2
        loss = loss + (w[:, t] * part).sum()
    loss = loss + given["activity"] * squares / float(given["n_steps"].sum() * N)
    loss.backward()
    found = {key: a.grad.numpy() for key, a in p.items() if a.grad is not None}
    return {"loss": loss.detach().numpy(), **found}


if __name__ == "__main__":
    arrays = {f"{name}/{key}": a for name in CASES for key, a in by_autograd(name).items()}
    np.savez_compressed(KEPT, **arrays)
