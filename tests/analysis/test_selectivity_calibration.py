"""Level and power of tests of selectivity: ours, and the published ones beside.

The committed results are written, job by job, by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_selectivity_calibration [n_jobs]``; what is
there already is not computed again.
"""

from __future__ import annotations

import csv
import sys
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pytest
from scipy.stats import binom

from popdyn.analysis.selectivity_angles import robustly_whitened
from popdyn.analysis.selectivity_bingham import bingham_test
from popdyn.analysis.selectivity_clusters import log_ratio
from popdyn.analysis.selectivity_errors import noisy_clouds
from popdyn.analysis.selectivity_judged import judged
from popdyn.analysis.selectivity_null import (
    described,
    draw_rows,
    enough_neighbors,
    gaussian_draw,
    pivotal_null,
)
from popdyn.analysis.selectivity_variants import VARIANTS
from popdyn.resample import upper_p_value

RESULTS = Path(__file__).parent / "results" / "selectivity.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_selectivity_calibration 2"
HEADER = [
    "question", "test", "cloud", "n_neurons", "n_features", "n_sets", "n_draws", "p <= 0.05",
    "p_clustered <= 0.05", "mean index",
]  # fmt: skip
OURS = "epairs default"
CLUSTER = "cluster default"
SHARED = ("epairs covariance", "epairs dubreuil2022", "pairs default", "pairs raposo2014",
          "pairs hocker2021")  # fmt: skip
BINGHAM = ("bingham default", "bingham covariance", "bingham dubreuil2022",
           "bingham dubreuil2022_aligned")  # fmt: skip
APART = ("epairs hirokawa2019", "epairs dubreuil2022_full", "epairs dubreuil2022_diagonal")
NULLS = ("isotropic", "elliptical", "heavy tails")
SIZES = [(n, d) for n in (2000, 500, 100, 30) for d in (12, 8, 4, 2)]
POWER_SIZES = (1000, 500, 300, 200, 150, 100, 50, 30)
RATIO = 20.0


# Clouds of vectors: values, and their standard errors where there are any.


def isotropic(rng, n, d):
    return rng.normal(size=(n, d)), None


def elliptical(rng, n, d):
    """Standard deviations from 1 to the root of 20, along axes of no feature."""
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return rng.normal(size=(n, d)) * np.sqrt(np.geomspace(1.0, RATIO, d)) @ turn, None


def heavy_tails(rng, n, d):
    """The same, Student's t with three degrees of freedom."""
    return elliptical(rng, n, d)[0] / np.sqrt(rng.chisquare(3, size=(n, 1)) / 3), None


def few_trials(rng, n, d):
    """Half of the neurons have errors of 1 in all features, of which half vary by 0.1 only."""
    error = np.where(rng.integers(0, 2, size=(n, 1)), 1.0, 0.1) * np.ones((n, d))
    true = rng.normal(size=(n, d)) * np.where(np.arange(d) < d / 2, 1.0, 0.1)
    return true + error * rng.normal(size=(n, d)), error


def correlated_errors(rng, n, d):
    """The same, the errors of features correlated by 0.8, as those of similar regressors are."""
    error = few_trials(rng, n, d)[1]
    true = rng.normal(size=(n, d)) * np.where(np.arange(d) < d / 2, 1.0, 0.1)
    noise = np.sqrt(0.2) * rng.normal(size=(n, d)) + np.sqrt(0.8) * rng.normal(size=(n, 1))
    return true + error * noise, error


def ball(rng, n, d):
    """Lengths that vary less than those of a Gaussian cloud."""
    directions = rng.normal(size=(n, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions * rng.random((n, 1)) ** (1 / d), None


def short_and_long(rng, n, d):
    """Every second neuron ten times as far from the center."""
    return rng.normal(size=(n, d)) * np.where(np.arange(n) % 2, 10.0, 1.0)[:, None], None


def groups(rng, n, d, scatter, n_groups=6):
    """Groups of neurons, each with a direction (length root d) and a scatter about it."""
    centers = rng.normal(size=(n_groups, d))
    centers *= np.sqrt(d) / np.linalg.norm(centers, axis=1, keepdims=True)
    chosen = centers[rng.integers(0, n_groups, n)]
    return chosen + scatter * rng.normal(size=(n, d)), None


def half_in_groups(rng, n, d, scatter):
    """Every second neuron belongs to no group."""
    values = groups(rng, n, d, scatter)[0]
    values[::2] = rng.normal(size=values[::2].shape)
    return values, None


def pure(rng, n, d):
    """Every feature by itself has heavy tails: neurons that stand out do so in one of them."""
    return rng.standard_t(3, size=(n, d)), None


def populations(rng, n, d, ratio):
    """Two populations about zero, each more variable in half of the features."""
    first = rng.integers(0, 2, size=(n, 1)) == (np.arange(d) < d / 2)
    return rng.normal(size=(n, d)) * np.where(first, np.sqrt(ratio), 1.0), None


def noisy_groups(rng, n, d, error):
    """Groups with a scatter of 0.25, seen with errors of all neurons alike."""
    values = groups(rng, n, d, 0.25)[0]
    return values + error * rng.normal(size=(n, d)), error * np.ones((n, d))


CLOUDS = {
    "isotropic": isotropic,
    "elliptical": elliptical,
    "heavy tails": heavy_tails,
    "few trials": few_trials,
    "few trials, errors correlated": correlated_errors,
    "a ball": ball,
    "short and long": short_and_long,
}
for _scatter in (0.25, 0.5, 1):
    CLOUDS[f"6 groups, scatter {_scatter:g}"] = partial(groups, scatter=_scatter)
for _number in (3, 2):
    CLOUDS[f"{_number} groups, scatter 0.5"] = partial(groups, scatter=0.5, n_groups=_number)
CLOUDS["half in 6 groups, scatter 0.25"] = partial(half_in_groups, scatter=0.25)
CLOUDS["features with heavy tails each"] = pure
for _ratio in (5, 10, 20):
    CLOUDS[f"2 populations, variance ratio {_ratio:g}"] = partial(populations, ratio=_ratio)
NOISY = tuple(f"6 groups, scatter 0.25, error {error:g}" for error in (0.5, 1))
CLOUDS |= {NOISY[i]: partial(noisy_groups, error=error) for i, error in enumerate((0.5, 1))}
LENGTHS = ("a ball", "short and long")
CLOUDS_OF_LEVELS, STRUCTURED = tuple(CLOUDS)[:7], tuple(CLOUDS)[7:]


class Job(NamedTuple):
    """Cells that share a test and a size, and so a null."""

    question: str
    test: str
    clouds: tuple[str, ...]
    n: int
    d: int
    n_sets: int
    n_draws: int
    with_errors: bool = False

    def cells(self):
        test = self.test + (" with errors" if self.with_errors else "")
        return [(self.question, test, cloud, str(self.n), str(self.d)) for cloud in self.clouds]


def jobs():
    """Every cell; long ones first."""
    yield from levels_of_ours()
    yield from levels_of_published()
    yield from powers()


def levels_of_ours():
    cloud = ("few trials, errors correlated",)
    yield Job("level", OURS, cloud, 200, 4, 400, 199, with_errors=True)
    for test in (OURS, CLUSTER):
        for n, d in ((100, 12), (100, 4), (100, 2)):
            yield Job("level", test, LENGTHS, n, d, 400, 999)
    for n, d in SIZES:
        yield Job("level", OURS, NULLS, n, d, 100 if n == 2000 else 1000, 9999)
    for n, d in ((200, 8), (200, 4), (200, 2), (50, 4)):
        yield Job("level", OURS, ("few trials",), n, d, 400, 199, with_errors=True)
        yield Job("level", OURS, ("few trials",), n, d, 400, 9999)
    for n, d in [*SIZES[4:12], (2000, 4), (50, 4), (50, 2), (30, 2)]:
        yield Job("level", CLUSTER, NULLS, n, d, 100 if n == 2000 else 1000, 999)
    yield Job("level", CLUSTER, ("few trials",), 100, 4, 200, 99, with_errors=True)
    yield Job("level", CLUSTER, ("few trials",), 100, 4, 200, 999)


def levels_of_published():
    for n, d in SIZES[4:]:
        for test in SHARED:
            yield Job("level", test, NULLS, n, d, 400, 999)
        if n <= 100 and d in (2, 4, 12):
            for test in APART:
                yield Job("level", test, NULLS, n, d, 400, 100)
    for test in BINGHAM:
        for n, d in ((500, 4), (100, 12), (100, 4), (100, 2)):
            yield Job("level", test, NULLS, n, d, 400, 999)


def powers():
    for n in POWER_SIZES:
        for d in (8, 4, 2):
            yield Job("power", OURS, STRUCTURED, n, d, 400, 999)
    yield Job("power", "epairs covariance", STRUCTURED, 150, 4, 400, 999)
    yield Job("power", OURS, NOISY, 150, 4, 200, 199, with_errors=True)
    for test in BINGHAM:
        for n, d in ((150, 4), (500, 2)):
            yield Job("power", test, STRUCTURED, n, d, 400, 999)
    for n in POWER_SIZES:
        for d in (8, 4, 2):
            if n_tested(n, d) > 1:
                yield Job("power", CLUSTER, STRUCTURED, n, d, 200, 999)


def n_tested(n, d):
    """Groups that the mixture has: four, or as many as neurons allow."""
    return min(4, n // (2 * (d + 1)))


def variant_of(name):
    method, variant = name.split()
    return VARIANTS[method][variant]


def judge(job, test, k, null, pooled, cloud, rng):
    """P, one-sided p and index of one data set."""
    values, error = CLOUDS[cloud](rng, job.n, job.d)
    prepared = test.prepare(values)
    if job.with_errors:
        seen = noisy_clouds(values, error)
        pooled = draw_rows(lambda own: test.angles(test.prepare(seen(own)), k), job.n_draws, rng)
    elif not test.is_pivotal:
        pooled = draw_rows(gaussian_draw(test, prepared, k), job.n_draws, rng)
    found = judged(test, test.angles(prepared, k), null or described(pooled), pooled)
    return [found[name][1] for name in ("p", "p_clustered", "index")]


def bingham_answers(job):
    """The same of directions: p is one-sided, the index the largest share of an axis."""
    variant = job.test.split()[1]
    null = np.array([])
    if not variant.startswith("dubreuil2022"):
        own = bingham_test(
            np.random.default_rng(0).normal(size=(job.n, job.d)), variant, job.n_draws, 0, None
        )[0]
        null = own["null_statistic"][1]
    for cloud in job.clouds:
        small = []
        shares = []
        for rng in np.random.default_rng([job.n, job.d, *cloud.encode()]).spawn(job.n_sets):
            found = bingham_test(CLOUDS[cloud](rng, job.n, job.d)[0], variant, 1, rng, None)[0]
            p = upper_p_value(found["statistic"][1], null) if null.size else found["p"][1]
            small.append(p <= 0.05)
            shares.append(found["axis_share"][1].max())
        yield np.mean(small), np.mean(small), np.mean(shares)


def mixture_answers(job):
    """The same of four groups against one: p is one-sided, the index the log likelihood ratio."""

    def ratio(values, rng):
        return log_ratio(robustly_whitened(values), n_tested(job.n, job.d), rng)

    null = [ratio(rng.normal(size=(job.n, job.d)), rng)
            for rng in np.random.default_rng(job.n).spawn(0 if job.with_errors else job.n_draws)]  # fmt: skip
    for cloud in job.clouds:
        small, ratios = [], []
        for rng in np.random.default_rng([job.n, job.d, *cloud.encode()]).spawn(job.n_sets):
            values, error = CLOUDS[cloud](rng, job.n, job.d)
            if job.with_errors:
                seen = noisy_clouds(values, error)
                null = [ratio(seen(own), own) for own in rng.spawn(job.n_draws)]
            ratios.append(ratio(values, rng))
            small.append(upper_p_value(ratios[-1], np.array(null)) <= 0.05)
        yield np.mean(small), np.mean(small), np.mean(ratios)


def answers(job):
    """Share of small p, of small one-sided p, and mean index, of each cloud."""
    if job.test == CLUSTER or job.test in BINGHAM:
        yield from (mixture_answers if job.test == CLUSTER else bingham_answers)(job)
        return
    test = variant_of(job.test)
    k = test.n_neighbors or enough_neighbors((job.n, job.d), np.pi / 4)
    null = pooled = None
    if not job.with_errors and test.is_pivotal:
        if test.p == "rank_sum":
            pooled = draw_rows(gaussian_draw(test, np.zeros((job.n, job.d)), k), job.n_draws, 0)
            null = described(pooled)
        else:
            null = pivotal_null(test, (job.n, job.d), k, job.n_draws, 0)
    for cloud in job.clouds:
        sets = np.random.default_rng([job.n, job.d, *cloud.encode()]).spawn(job.n_sets)
        found = np.array([judge(job, test, k, null, pooled, cloud, rng) for rng in sets])
        yield *(found[:, :2] <= 0.05).mean(axis=0), found[:, 2].mean()


def written():
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.reader(line for line in file if not line.startswith("#")))[1:]


def compute(job):
    start = time.process_time()
    found = [[*key, job.n_sets, job.n_draws, *(f"{one:.3f}" for one in own)]
             for key, own in zip(job.cells(), answers(job), strict=True)]  # fmt: skip
    return found, time.process_time() - start


def write(n_jobs=1):
    done = {tuple(row[:5]): row for row in written()}
    open_jobs = [job for job in jobs() if any(key not in done for key in job.cells())]
    results = joblib.Parallel(n_jobs, return_as="generator_unordered", batch_size=1)(
        joblib.delayed(compute)(job) for job in open_jobs
    )
    for rows, seconds in results:
        sys.stdout.write(f"{seconds:6.0f} s of one core: {', '.join(rows[0][:5])}\n")
        sys.stdout.flush()
        done |= {tuple(row[:5]): row for row in rows}
        kept = [done[key] for job in jobs() for key in job.cells() if key in done]
        part = RESULTS.with_suffix(".part")
        with part.open("w", newline="") as file:
            file.write(f"{COMMAND}\n")
            csv.writer(file, lineterminator="\n").writerows([HEADER, *kept])
        part.replace(RESULTS)


PAGE = Path(__file__).parents[2] / "docs" / "methods" / "selectivity.rst"


def needed(test, cloud, n_features, power=0.8):
    """Fewest neurons with which that share of data sets is found, as words."""
    found = {int(row[3]): float(row[7]) for row in rows("power", test, cloud)
             if row[2] == cloud and row[4] == str(n_features)}  # fmt: skip
    enough = [n for n in found if all(found[more] >= power for more in found if more >= n)]
    return str(min(enough)) if enough else f"more than {max(found)}"


def guide():
    """Lines of the table on the page: neurons needed, by structure, test and features."""
    columns = [(test, d) for test in (OURS, CLUSTER) for d in (2, 4, 8)]
    yield "   * - structure"
    yield from (f"     - {test.split()[0]}, {d}" for test, d in columns)
    for cloud in STRUCTURED:
        if not cloud.startswith("features"):
            yield f"   * - {cloud}"
            yield from (f"     - {needed(test, cloud, d)}" for test, d in columns)


def levels():
    """Lines of the table on the page: lowest and highest level over sizes, by test and cloud."""
    tests = dict.fromkeys(row[1] for row in written() if row[0] == "level")
    clouds = CLOUDS_OF_LEVELS
    yield "   * - test"
    yield from (f"     - {cloud}" for cloud in clouds)
    for test in tests:
        yield f"   * - {test}"
        for cloud in clouds:
            own = [row for row in written() if row[:3] == ["level", test, cloud]]
            found = sorted(float(row[7]) for row in own)
            yield f"     - {found[0]:.2f} to {found[-1]:.2f}" if own else "     - \\-"


def rows(question, test, cloud=""):
    """Rows of a question and test whose cloud begins so."""
    found = [r for r in written() if r[:2] == [question, test] and r[2].startswith(cloud)]
    assert found, f"no result for {question!r}, {test!r}, {cloud!r}"
    return found


@pytest.mark.parametrize(
    ("test", "cloud"),
    [
        *((OURS, null) for null in NULLS),
        *((CLUSTER, null) for null in NULLS),
        (f"{OURS} with errors", "few trials"),
    ],
    ids=[*NULLS, *(f"mixtures, {null}" for null in NULLS), "few trials"],
)
def test_committed_levels_are_nominal(test, cloud):
    """Each within the interval that 9,999 of 10,000 such simulations keep: there are 84 of them."""
    for row in rows("level", test, cloud):
        n_sets = int(row[5])
        low, high = binom.interval(0.9999, n_sets, 0.05)
        assert low <= n_sets * float(row[7]) <= high, row


def test_committed_levels_of_published_tests_are_not():
    for test in ("epairs dubreuil2022", "epairs dubreuil2022_full", "epairs hirokawa2019"):
        assert np.mean([float(row[7]) for row in rows("level", test, "isotropic")]) > 0.07
    assert np.mean([float(row[7]) for row in rows("level", "pairs raposo2014", "ellip")]) > 0.5
    assert np.mean([float(row[7]) for row in rows("level", "epairs covariance", "heavy")]) > 0.15
    assert np.mean([float(row[7]) for row in rows("level", OURS, "few trials")]) > 0.1


def test_committed_power_is_the_known_answer():
    """B26: groups with a scatter of 0.5 are found in all data sets of 150 neurons."""
    for test in (OURS, "epairs covariance"):
        (row,) = [
            row for row in rows("power", test, "6 groups, scatter 0.5") if row[3:5] == ["150", "4"]
        ]
        assert float(row[7]) >= 0.97


def test_committed_results_are_those_of_the_jobs():
    assert [tuple(row[:5]) for row in written()] == [key for job in jobs() for key in job.cells()]


@pytest.mark.parametrize("table", [guide, levels], ids=["guide", "levels"])
def test_the_page_says_what_was_measured(table):
    assert "\n".join(table()) in PAGE.read_text(encoding="utf-8")


def test_a_job_gives_a_share_for_each_cloud():
    job = Job("level", OURS, NULLS, 40, 3, 60, 499)
    found = np.array(list(answers(job)))
    assert found.shape == (3, 3)
    assert (found[:, 0] <= 0.15).all()
    assert (abs(found[:, 2]) < 0.03).all()
    mixtures = np.array(list(answers(Job("level", CLUSTER, NULLS, 40, 2, 5, 19))))
    assert (mixtures[:, 0] <= 0.6).all()
    (noisy,) = answers(Job("level", OURS, ("few trials",), 40, 4, 6, 19, with_errors=True))
    assert noisy[0] <= 0.5
    elongated = Job("level", "pairs default", ("elliptical",), 40, 3, 20, 99)
    assert next(answers(elongated))[0] > 0.3


def test_a_study_that_was_stopped_goes_on(monkeypatch, tmp_path):
    plan = [Job("level", "pairs default", ("isotropic",), n, 2, 3, 19) for n in (40, 50)]
    monkeypatch.setitem(globals(), "RESULTS", tmp_path / "selectivity.csv")
    monkeypatch.setitem(globals(), "jobs", lambda: plan[1:])
    write()
    (first,) = written()
    monkeypatch.setitem(globals(), "jobs", lambda: plan)
    seen = []
    monkeypatch.setitem(globals(), "answers", lambda job: seen.append(job) or iter([(0, 0, 0)]))
    write()
    assert seen == plan[:1]
    assert written()[1] == first
    assert written()[0][3] == "40"


@pytest.mark.slow
@pytest.mark.parametrize("cloud", NULLS)
def test_level_of_the_default(cloud):
    (found,) = answers(Job("level", OURS, (cloud,), 60, 6, 1000, 3999))
    low, high = binom.interval(0.999, 1000, 0.05)
    assert low <= 1000 * found[0] <= high


@pytest.mark.slow
def test_level_with_errors():
    (found,) = answers(Job("level", OURS, ("few trials",), 100, 4, 100, 99, with_errors=True))
    assert found[0] <= 0.13


if __name__ == "__main__":
    write(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
