"""How often decoding finds what is not there, how often what is, and how often bounds cover.

The committed results are written, and continued where they stopped, by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_decoding_calibration``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import popdyn as pdn

RESULTS = Path(__file__).parent / "results" / "decoding_clusters.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_decoding_calibration"
HEADER = ["cell", "n_sets", "cluster", "corrected", "mean", "score", "coverage", "coverage_of_mean"]
N_DRAWS = 59
N_NULL, N_POWER = 400, 100
# Cell: what is run, trials, neurons, effect (standard deviations per class or per sd of a number).
NULL = {
    "classes, 40 trials": ("decode", 40, 10, 0.0),
    "classes, 40 trials, in 8 blocks": ("blocks", 40, 10, 0.0),
    "classes, one in each of 12 blocks": ("whole blocks", 48, 10, 0.0),
    "classes, 4 sessions of 30 trials": ("sessions", 30, 10, 0.0),
    "classes across time, 40 trials": ("across", 40, 10, 0.0),
    "number, 40 trials": ("number", 40, 10, 0.0),
    "number, 40 trials, in 8 blocks": ("number in blocks", 40, 10, 0.0),
}
POWER = {
    **{
        f"{kind}, {n_trials} trials, {n_neurons} neurons, effect 0.5": (
            run,
            n_trials,
            n_neurons,
            0.5,
        )
        for kind, run in (("classes", "decode"), ("number", "number"))
        for n_trials, n_neurons in ((40, 10), (80, 10), (160, 10), (80, 40))
    },
    "classes across time, 80 trials, 10 neurons, effect 0.5": ("across", 80, 10, 0.5),
    "classes, 4 sessions of 40 trials, 10 neurons, effect 0.5": ("sessions", 40, 10, 0.5),
}
CELLS = {**NULL, **POWER}


def planted(seed, n_trials, n_neurons, effect, n_bins=10, rho=0.8):
    """Noise correlated over time; an effect on three in ten neurons in the second half."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_neurons, n_bins, n_trials))
    for time in range(1, n_bins):
        noise[:, time] = rho * noise[:, time - 1] + np.sqrt(1 - rho**2) * noise[:, time]
    choice = rng.permutation(np.arange(n_trials) % 2)
    number = rng.normal(size=n_trials)
    block = np.arange(n_trials) * 8 // n_trials
    whole = np.arange(n_trials) * 12 // n_trials
    side = rng.permutation(np.arange(12) % 2)[whole]
    # What trials of a block share is not their label.
    shared = {
        "block": rng.normal(size=(n_neurons, 1, 8)),
        "whole": rng.normal(size=(n_neurons, 1, 12)),
    }
    table = {"choice": choice, "number": number, "block": block, "whole": whole, "side": side}
    return noise, table, shared


def run(kind, seed, n_trials, n_neurons, effect):
    """One data set of a cell."""
    if kind == "sessions":
        days = [run("decode", 4 * seed + day, n_trials, n_neurons, effect) for day in range(4)]
        return pdn.pool_decoding(days, rng=seed)
    values, table, shared = planted(seed, n_trials, n_neurons, effect)
    label = (
        "number" if kind.startswith("number") else "side" if kind == "whole blocks" else "choice"
    )
    values[: 3 * n_neurons // 10, 5:] += effect * table[label]
    options = {"n_draws": N_DRAWS, "rng": seed}
    if "block" in kind:
        group = "whole" if kind == "whole blocks" else "block"
        values += shared[group][..., table[group]]
        options |= {"groups": group, "n_folds": 4}
    tensor = pdn.make_tensor(values, 0.05 * np.arange(10), table, units="1")
    function = {"across": pdn.temporal_generalization, "number": pdn.decode_quantity}.get(
        kind.split(" ")[0], pdn.decode
    )
    return function(tensor, label, **options)


def measure(cell, n_sets):
    """Shares of data sets with p of at most 0.05, the mean score, and coverage of bounds."""
    results = [run(*CELLS[cell][:1], seed, *CELLS[cell][1:]) for seed in range(n_sets)]
    score = "r2" if "r2" in results[0] else "accuracy"
    late = slice(5, None) if CELLS[cell][3] else slice(None)
    scores = np.array([result[score].values[late] for result in results])
    row = [
        np.mean([float(np.nanmin(result["cluster_p"])) <= 0.05 for result in results]),
        np.mean([float(result["p_corrected"].min()) <= 0.05 for result in results]),
        np.mean([float(result["mean_p"]) <= 0.05 for result in results]),
        scores.mean(),
    ]
    if f"{score}_bound" not in results[0]:
        return [*row, np.nan, np.nan]
    bound = np.array([result[f"{score}_bound"].values[:, late] for result in results])
    truth = scores.mean(axis=0)
    mean = np.array([result[f"mean_{score}_bound"].values for result in results])
    mean_truth = np.mean([float(result[f"mean_{score}"]) for result in results])
    return [
        *row,
        np.mean((bound[:, 0] <= truth) & (truth <= bound[:, 1])),
        np.mean((mean[:, 0] <= mean_truth) & (mean_truth <= mean[:, 1])),
    ]


def committed():
    if not RESULTS.exists():
        return {}
    with RESULTS.open() as file:
        next(file)
        return {row["cell"]: row for row in csv.DictReader(file)}


def write():
    done = committed()
    for cell in CELLS:
        if cell in done:
            continue
        n_sets = N_NULL if cell in NULL else N_POWER
        values = [f"{value:.4f}" for value in measure(cell, n_sets)]
        fresh = not RESULTS.exists()
        with RESULTS.open("a", newline="") as file:
            if fresh:
                file.write(COMMAND + "\n")
            rows = [HEADER] if fresh else []
            csv.writer(file, lineterminator="\n").writerows([*rows, [cell, n_sets, *values]])


def test_committed_shares_of_false_findings_are_nominal():
    rows = committed()
    assert set(rows) == set(CELLS)
    # Tests in each bin are corrected, so that ties make them conservative; none may exceed.
    most = stats.binom.ppf(0.995, N_NULL, 0.05) / N_NULL
    for cell in NULL:
        row = rows[cell]
        for name in ("cluster", "corrected", "mean"):
            assert 0.01 <= float(row[name]) <= most, (cell, name)


def test_committed_power_grows_with_trials_and_neurons():
    rows = committed()
    for kind in ("classes", "number"):
        few, more, most, wide = (
            {key: float(rows[f"{kind}, {size}, effect 0.5"][key]) for key in ("cluster", "score")}
            for size in (
                "40 trials, 10 neurons",
                "80 trials, 10 neurons",
                "160 trials, 10 neurons",
                "80 trials, 40 neurons",
            )
        )
        assert few["score"] < more["score"] < most["score"]
        assert more["score"] < wide["score"]
        assert few["cluster"] <= more["cluster"] <= most["cluster"]


def test_runs_of_bins_are_found_more_often_than_single_ones():
    rows = [committed()[cell] for cell in POWER if cell.startswith("classes, ")]
    assert sum(float(row["cluster"]) - float(row["corrected"]) for row in rows) > 0


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_the_committed_shares_are_reproduced(cell):
    row = committed()[cell]
    expected = [float(row[name]) for name in HEADER[2:]]
    np.testing.assert_allclose(measure(cell, int(row["n_sets"])), expected, atol=6e-4)


if __name__ == "__main__":
    write()
