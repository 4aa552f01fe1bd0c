"""Level, power and coverage of what is said of dimensions, subspaces, maps and axes.

The committed results are written, cell by cell, by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_subspace_calibration``; cells that are
there already are not computed again.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import binom

import popdyn as pdn
from popdyn.analysis import statespace_null
from popdyn.analysis.statespace_dimensions import (
    bi_cross_validated_errors,
    smallest_good,
    split_trial_share,
)
from popdyn.analysis.statespace_null import leading, parallel_analysis
from popdyn.resample import spawn

RESULTS = Path(__file__).parent / "results" / "subspaces.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_subspace_calibration"
HEADER = ["question", "cell", "n_sets", "share"]
N_SETS = 400
# 39 draws: a p of at most 0.05 has a probability of exactly 2 in 40.
N_DRAWS = 39
TIME = 0.02 * np.arange(20)
NULLS = {None: "default", "given": "given covariance", "both": "both", "alike": "alike"}


def smooth_noise(rng, n_neurons, n_times, n_items, sigma):
    """Noise of independent neurons, as variable at the ends as within."""
    edge = int(6 * sigma)
    noise = rng.normal(size=(n_neurons, n_times + 2 * edge, n_items))
    noise = gaussian_filter1d(noise, sigma, axis=1) if sigma else noise
    noise = noise[:, edge : edge + n_times]
    return noise * np.linspace(0.5, 2.0, n_neurons)[:, None, None]


def components_found(rng, n_neurons, n_planted, n_trials=10, n_times=40, sigma=1.0):
    """Number of components beyond the null in averages over two conditions."""
    values = smooth_noise(rng, n_neurons, n_times, 2, sigma) / np.sqrt(n_trials / 10)
    axes = np.linalg.qr(rng.normal(size=(n_neurons, max(n_planted, 1))))[0]
    latent = smooth_noise(rng, max(n_planted, 1), n_times, 2, sigma)
    strength = {0: 0.0, 1: 4.0, 2: 12.0}[n_planted]
    values = values + strength * np.einsum("nk,ktc->ntc", axes, latent)
    return leading(parallel_analysis(values, n_planted + 2, spawn(rng, N_DRAWS))[1])


def one_condition(rng, n_neurons, sigma):
    """Whether smooth noise in one condition had a component if its courses were moved in time."""
    values = smooth_noise(rng, n_neurons, 40, 1, sigma)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statespace_null, "testable", lambda _: True)
        return leading(parallel_analysis(values, 1, spawn(rng, N_DRAWS))[1]) > 0


def numbers_by_cross_validation(rng, n_conditions, sigma):
    """Whether averages of noise alone (10 trials) have a component by held-out blocks or halves."""
    trials = [np.moveaxis(smooth_noise(rng, 20, 25, 10, sigma), 2, 0) for _ in range(n_conditions)]
    averages = np.stack([values.mean(axis=0) for values in trials], axis=2)
    errors = bi_cross_validated_errors(averages, spawn(rng, 3))
    share = split_trial_share(trials, 5, spawn(rng, 10))
    return smallest_good(errors) > 0, share.argmax() > 0


def pattern_tensor(rng, patterns, noise, n_trials=10):
    """Tensor of two conditions along patterns (neuron, component)."""
    latent = gaussian_filter1d(rng.normal(size=(patterns.shape[1], 20, 2)), 1.0, axis=1)
    choice = np.tile([0, 1], n_trials)
    values = np.einsum("nk,ktc->ntc", patterns, latent)[:, :, choice]
    values = values + noise * rng.normal(size=values.shape)
    return pdn.make_tensor(values, TIME, {"choice": choice}, units="1")


def alignment_p(rng, shared, null, noise=0.5, n_neurons=30, n_trials=10):
    """Whether p, p_higher and p_lower of two sets of three patterns, so many of them shared."""
    root = np.sqrt(np.linspace(0.2, 3.0, n_neurons))[:, None]
    a, b = (root * rng.normal(size=(n_neurons, 3)) for _ in range(2))
    b[:, :shared] = a[:, :shared]
    averages = [
        pdn.condition_average(pattern_tensor(rng, own, noise, n_trials), "choice") for own in (a, b)
    ]
    result = pdn.subspace_overlap(
        *averages, n_components=3, n_draws=N_DRAWS, rng=rng,
        covariance={"given": np.diag(root[:, 0] ** 2), "alike": np.eye(n_neurons)}.get(null, null),
    )  # fmt: skip
    return small(result)


def small(result):
    """Whether p, p_higher and p_lower are at most 0.05."""
    return [float(result[name]) <= 0.05 for name in ("p", "p_higher", "p_lower")]


def area_p(rng, shared, null, n_conditions=2, n_trials=10):
    """Whether p, p_higher and p_lower of areas with three courses, so many of them shared."""
    courses = smooth_courses(rng, 2, n_conditions)
    courses[1, :shared] = courses[0, :shared]
    averages = []
    for latent, n_neurons in zip(courses, (20, 15), strict=True):
        values = np.einsum("nk,ktc->ntc", rng.normal(size=(n_neurons, 3)), latent)
        values = values + rng.normal(size=values.shape) / np.sqrt(n_trials)
        x = pdn.make_tensor(values, TIME, {"stimulus": np.arange(n_conditions)}, units="1")
        averages.append(pdn.condition_average(x, "stimulus"))
    result = pdn.subspace_overlap(
        *averages, n_components=3, space="sample", n_draws=N_DRAWS, rng=rng, covariance=null
    )
    return small(result)


def smooth_courses(rng, n_areas, n_conditions):
    """Courses (area, component, time, condition) as variable at the ends as within."""
    noise = rng.normal(size=(n_areas, 3, 44, n_conditions))
    return 2.0 * gaussian_filter1d(noise, 2.0, axis=2)[:, :, 12:32]


def index_covered(rng, cosine, noise, n_trials):
    """Whether the bounds of the index without noise hold the planted overlap."""
    turn = np.linalg.qr(rng.normal(size=(20, 4)))[0]
    other = cosine * turn[:, :2] + np.sqrt(1 - cosine**2) * turn[:, 2:]
    a, b = (pattern_tensor(rng, 4.0 * own, noise, n_trials) for own in (turn[:, :2], other))
    result = pdn.subspace_overlap(a, b, by="choice", n_components=2, n_splits=5, n_draws=2, rng=rng)
    low, high = result["cross_validated_index_bound"].values
    return low <= cosine**2 <= high


def map_p(rng, mixture, n_trials=10):
    """Whether a source is said to predict a target with this share of its courses."""
    courses = gaussian_filter1d(rng.normal(size=(3, 3, 8, 6)), 1.0, axis=2)
    pair = [np.sqrt(mixture) * courses[2] + np.sqrt(1 - mixture) * courses[i] for i in (0, 1)]
    averages = []
    for latent in pair:
        values = np.einsum("nk,ktc->ntc", rng.normal(size=(15, 3)), latent)
        values = values + 3.0 / np.sqrt(n_trials) * rng.normal(size=values.shape)
        x = pdn.make_tensor(values, TIME[:8], {"stimulus": np.arange(6)}, units="1")
        averages.append(pdn.condition_average(x, "stimulus"))
    fitted = pdn.SpaceMap(3, n_draws=N_DRAWS, rng=rng).fit(*averages)
    return float(fitted.result_["p"]) <= 0.05


def trend(rng, cosines, n_repeats=8):
    """Significance of a trend over three stages, and coverage of each stage's overlap."""
    sessions = []
    for cosine in np.repeat(cosines, 4):
        basis = np.linalg.qr(rng.normal(size=(12, 2)))[0]
        other = cosine * basis[:, 0] + np.sqrt(1 - cosine**2) * basis[:, 1]
        sample, distractor = np.tile([0, 0, 1, 1], n_repeats), np.tile([0, 1], 2 * n_repeats)
        values = rng.normal(size=(12, 2, sample.size))
        values[:, 0] += 2.5 * np.multiply.outer(basis[:, 0], sample)
        values[:, 1] += 2.5 * np.multiply.outer(other, distractor)
        labels = {"sample": sample, "distractor": distractor}
        sessions.append(pdn.make_tensor(values, [0.0, 0.1], labels, units="1"))
    axes = {"memory": ("sample", (0.0, 0.05)), "distractor": ("distractor", (0.05, 0.15))}
    result = pdn.epoch_axes(
        sessions, axes, stage=np.repeat(["1", "2", "3"], 4), n_splits=2, n_folds=2, n_draws=199,
        rng=rng,
    ).sel(axis="memory", other_axis="distractor")  # fmt: skip
    low, high = result["stage_overlap_bound"].values
    covered = np.mean((low <= np.square(cosines)) & (np.square(cosines) <= high))
    return float(result["p"]) <= 0.05, covered


def dimension_cells():
    found = "a component beyond the null, of independent smooth neurons"
    for n, times, sigma in ((10, 40, 1.0), (20, 40, 1.0), (40, 40, 1.0), (20, 20, 2.0)):
        yield found, f"{n} neurons, {times} bins, smoothed over {sigma:g}", (
            lambda rng, n=n, t=times, s=sigma: components_found(rng, n, 0, 10, t, s) > 0
        )  # fmt: skip
    for n, sigma in ((20, 3.0), (20, 5.0), (40, 3.0)):
        yield (
            "of one condition, which is refused: " + found,
            f"{n} neurons, 40 bins, smoothed over {sigma:g}",
            lambda rng, n=n, s=sigma: one_condition(rng, n, s),
        )  # fmt: skip
    yield (
        "more components beyond the null than planted", "20 neurons, 2 planted",
        lambda rng: components_found(rng, 20, 2) > 2,
    )  # fmt: skip
    for n, sigma in ((2, 0.0), (2, 2.0), (6, 2.0)):
        yield (
            "noise alone has a component: by blocks (bi_cross_validated) | halves",
            f"{n} conditions, smoothed over {sigma:g} bins",
            lambda rng, n=n, s=sigma: numbers_by_cross_validation(rng, n, s),
        )  # fmt: skip
    power = "power: one planted component beyond the null"
    for n, trials in ((10, 10), (20, 10), (40, 10), (20, 5), (20, 20)):
        yield power, f"{n} neurons, {trials} trials", (
            lambda rng, n=n, t=trials: components_found(rng, n, 1, t) > 0
        )  # fmt: skip


def subspace_cells():
    level = "unrelated patterns: p | p_higher | p_lower <= 0.05"
    for null, name in NULLS.items():
        for noise in (0.1, 0.5, 2.0):
            yield level, f"{name}, 30 neurons, noise {noise}", (
                lambda rng, null=null, e=noise: alignment_p(rng, 0, null, e)
            )  # fmt: skip
    yield level, "default, 10 neurons, noise 0.5", lambda rng: alignment_p(rng, 0, None, 0.5, 10)
    areas = "unrelated courses of areas: p | p_higher | p_lower <= 0.05"
    for null, n in ((None, 2), (None, 6), ("both", 2), ("both", 6)):
        yield areas, f"{NULLS[null]}, {n} conditions", (
            lambda rng, null=null, n=n: area_p(rng, 0, null, n)
        )  # fmt: skip
    power = "power: one of three patterns shared: p | p_higher | p_lower <= 0.05"
    for n, trials in ((10, 10), (30, 10), (30, 3)):
        yield power, f"default, {n} neurons, {trials} trials, noise 2", (
            lambda rng, n=n, t=trials: alignment_p(rng, 1, None, 2.0, n, t)
        )  # fmt: skip
    power = "power: one of three courses of areas shared: p | p_higher | p_lower <= 0.05"
    for n in (2, 6):
        yield power, f"default, {n} conditions", lambda rng, n=n: area_p(rng, 1, None, n)


def coverage_cells():
    for cosine, trials in ((0.0, 8), (0.6, 8), (1.0, 8), (0.6, 20)):
        yield (
            "coverage of cross_validated_index", f"cosine {cosine}, {trials} trials, noise 4",
            lambda rng, c=cosine, t=trials: index_covered(rng, c, 4.0, t),
        )  # fmt: skip


def map_cells():
    for mixture, trials in ((0.0, 10), (0.3, 10), (0.6, 10), (0.6, 3)):
        kind = "level" if mixture == 0 else "power"
        yield (
            f"{kind}: p of SpaceMap <= 0.05", f"{mixture:.0%} shared, {trials} trials",
            lambda rng, m=mixture, t=trials: map_p(rng, m, t),
        )  # fmt: skip


def trend_cells():
    for cosines in ((0.5, 0.5, 0.5), (0.9, 0.5, 0.0)):
        yield (
            "trend of epoch_axes: p <= 0.05 | coverage of stage_overlap",
            f"cosines {cosines}, 4 sessions per stage",
            lambda rng, c=cosines: trend(rng, c),
        )  # fmt: skip


def cells():
    """Question, cell, the function that answers it for one data set, and its seed.

    Each block has seeds of its own, so that a new cell leaves the other blocks as they are.
    """
    blocks = (
        (dimension_cells, 0), (subspace_cells, 109), (coverage_cells, 16), (map_cells, 20),
        (trend_cells, 28),
    )  # fmt: skip
    for block, first in blocks:
        for seed, (question, cell, answer) in enumerate(block(), start=first):
            yield question, cell, answer, seed


def share(answer, n_sets, seed):
    return np.mean([answer(rng) for rng in np.random.default_rng(seed).spawn(n_sets)], axis=0)


def written():
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.reader(line for line in file if not line.startswith("#")))[1:]


def write():
    done = {(row[0], row[1]): row for row in written()}
    for question, cell, answer, seed in cells():
        if (question, cell) not in done:
            values = " | ".join(f"{one:.3f}" for one in np.atleast_1d(share(answer, N_SETS, seed)))
            done[question, cell] = [question, cell, N_SETS, values]
            # Cells that are no longer asked for go, and those that are keep their order.
            rows = [done[cell[:2]] for cell in cells() if cell[:2] in done]
            with RESULTS.open("w", newline="") as file:
                file.write(f"{COMMAND}\n")
                csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])


def shares(question, cell=""):
    """All rows of the questions and cells that begin so."""
    rows = [row for row in written() if row[0].startswith(question) and row[1].startswith(cell)]
    assert rows, f"no result for {question!r}"
    return [[float(one) for one in row[3].split("|")] for row in rows]


def test_committed_levels_are_nominal():
    low, high = binom.interval(0.99, N_SETS, 0.05)
    level = "unrelated"
    exact = [*shares("level: p of SpaceMap"), *shares(level, "default"), *shares(level, "given")]
    assert len(exact) == 10
    for row in exact:
        assert all(low <= N_SETS * one <= high for one in row), row
    # Courses continued by their mirror images are a cautious null where they are short and smooth.
    cautious = [*shares("a component beyond the null"), *shares("more components")]
    assert max(row[0] for row in cautious) * N_SETS <= high
    assert N_SETS * shares("trend of epoch_axes")[0][0] <= high


def test_committed_results_are_those_of_the_cells():
    assert [(row[0], row[1]) for row in written()] == [cell[:2] for cell in cells()]


@pytest.mark.parametrize("answer", [alignment_p, area_p], ids=["neurons", "areas"])
def test_unrelated_subspaces_are_rarely_said_to_meet_or_to_avoid_each_other(answer):
    """The space that both fill is no null: against it nearly all avoid each other."""
    found = share(lambda rng: answer(rng, 0, None), 40, seed=99)
    published = share(lambda rng: answer(rng, 0, "both"), 10, seed=99)
    assert (found <= 0.2).all() and published[2] > 0.4


@pytest.mark.slow
def test_independent_neurons_have_no_component():
    found = share(lambda rng: components_found(rng, 20, 0) > 0, 150, seed=99)
    assert found <= 0.11


@pytest.mark.slow
def test_bounds_of_the_index_cover():
    assert share(lambda rng: index_covered(rng, 0.6, 4.0, 20), 60, seed=99) > 0.85


if __name__ == "__main__":
    write()
