"""Large random networks beside the mean-field theory of chaos (Sompolinsky, Crisanti & Sommers 1988).

``python -m tests.simulation.mean_field_runs`` writes ``results/rate_mean_field.csv``: some minutes.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from popdyn.network import Rate
from popdyn.simulation.steps import evolve_blocks

FILE = Path(__file__).parent / "results" / "rate_mean_field.csv"
COLUMNS = ("g", "seed", "variance", "mean_square_rate", "exponent")
N_NEURONS = 2000
# Of the largest Lyapunov exponent times tau, by the ground state of the theory's potential.
EXPONENTS = {1.5: 0.0468, 2.0: 0.1125, 3.0: 0.2346}
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(200)
_APART = 1e-6


def gaussian_mean(values):
    """Mean of a function of a standard normal number, given at the nodes."""
    return float(_WEIGHTS @ values / _WEIGHTS.sum())


def mean_field(g):
    """Variance of the states and mean square of the rates of an infinite chaotic network.

    The energy condition: Δ0² / 2 = g² (<Φ²> - <Φ>²), Φ = log cosh of a state of variance Δ0.
    """

    def energy(variance):
        potential = np.log(np.cosh(np.sqrt(variance) * _NODES))
        spread = gaussian_mean(potential**2) - gaussian_mean(potential) ** 2
        return -(variance**2) / 2 + g**2 * spread

    variance = brentq(energy, 1e-3, 60.0)
    return variance, gaussian_mean(np.tanh(np.sqrt(variance) * _NODES) ** 2)


def measure(g, seed, *, n_neurons=N_NEURONS, n_pairs=4, washout=200.0, duration=400.0, dt=0.05):
    """Variance, mean square rate and largest exponent times tau; durations in units of tau."""
    net = Rate.random(n_neurons, g=g, tau=1.0, dt=dt, rng=seed)
    rng = np.random.default_rng(seed + 1000)
    state = rng.standard_normal((n_pairs, n_neurons))

    def run(state, steps):
        """State and rates in the end."""
        *_, block = evolve_blocks(net, np.zeros((steps, len(state), 1)), state)
        return block.states[-1], block.rates[-1]

    state, _ = run(state, round(washout / dt))
    # Each network runs beside a copy a little apart, put back to that distance every tau.
    direction = rng.standard_normal(state.shape)
    pairs = np.concatenate([state, state + _scaled(direction)])
    squares, rates, growth, per_tau = [], [], [], round(1 / dt)
    for _ in range(round(duration)):
        pairs, rate = run(pairs, per_tau)
        squares.append(np.mean(pairs[:n_pairs] ** 2))
        rates.append(np.mean(rate[:n_pairs] ** 2))
        apart = pairs[n_pairs:] - pairs[:n_pairs]
        growth.append(np.log(np.linalg.norm(apart, axis=1) / _APART))
        pairs[n_pairs:] = pairs[:n_pairs] + _scaled(apart)
    settled = growth[len(growth) // 8 :]
    return float(np.mean(squares)), float(np.mean(rates)), float(np.mean(settled))


def _scaled(apart):
    return _APART * apart / np.linalg.norm(apart, axis=1, keepdims=True)


def main():
    with FILE.open("w", newline="") as stream, threadpool_limits(1):
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        for g in EXPONENTS:
            for seed in (1, 2):
                row = (g, seed, *(f"{value:.4f}" for value in measure(g, seed)))
                rows.writerow(row)
                stream.flush()
                print(*row)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
