"""In how many data sets the number of groups is right.

The committed results are written by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_selectivity_number`` (about 3 minutes).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from popdyn.analysis.selectivity_angles import robustly_whitened
from popdyn.analysis.selectivity_clusters import number_of_groups, tamed_lengths
from tests.analysis.test_selectivity_calibration import CLOUDS, PAGE, groups

RESULTS = Path(__file__).parent / "results" / "selectivity_number.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_selectivity_number"
HEADER = ["cloud", "n_neurons", "n_features", "n_sets", "right", "mean number"]
N_SETS = 50
SIZES = (150, 300)


def narrow(rng, n, d):
    """Three groups with a scatter of a quarter of that of their centers' features."""
    return groups(rng, n, d, 0.25, 3)


CELLS = {
    "3 groups, scatter 0.25": (3, 4, narrow),
    "3 groups, scatter 0.5": (3, 4, CLOUDS["3 groups, scatter 0.5"]),
    "6 groups, scatter 0.25": (6, 4, CLOUDS["6 groups, scatter 0.25"]),
    "6 groups, scatter 0.5": (6, 4, CLOUDS["6 groups, scatter 0.5"]),
    "isotropic": (1, 4, CLOUDS["isotropic"]),
    "heavy tails": (1, 4, CLOUDS["heavy tails"]),
    "2 populations, variance ratio 20": (2, 2, CLOUDS["2 populations, variance ratio 20"]),
}


def numbers(cloud, n, n_sets):
    """Found in each data set."""
    d, make = CELLS[cloud][1:]
    for rng in np.random.default_rng([n, *cloud.encode()]).spawn(n_sets):
        made_round = tamed_lengths(robustly_whitened(make(rng, n, d)[0]))
        yield number_of_groups(made_round, min(8, n // (2 * (d + 1))), rng).n_groups


def write():
    rows = []
    for cloud, (right, d, _) in CELLS.items():
        for n in SIZES:
            found = np.array([*numbers(cloud, n, N_SETS)])
            rows.append(
                [cloud, n, d, N_SETS, f"{np.mean(found == right):.2f}", f"{found.mean():.1f}"]
            )
    with RESULTS.open("w", newline="") as file:
        file.write(f"{COMMAND}\n")
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])


def written():
    with RESULTS.open(newline="") as file:
        return list(csv.reader(line for line in file if not line.startswith("#")))[1:]


def table():
    """Lines of the table on the page."""
    yield "   * - data"
    yield from (f"     - {n} neurons" for n in SIZES)
    for cloud in CELLS:
        yield f"   * - {cloud}"
        for row in (row for row in written() if row[0] == cloud):
            yield f"     - {100 * float(row[4]):.0f} % ({row[5]} on average)"


def test_the_page_says_in_how_many_the_number_is_right():
    assert "\n".join(table()) in PAGE.read_text(encoding="utf-8")


def test_committed_numbers_are_mostly_right():
    share = {(row[0], row[1]): float(row[4]) for row in written()}
    assert len(share) == len(CELLS) * len(SIZES)
    for n in ("150", "300"):
        for cloud in ("isotropic", "heavy tails", "3 groups, scatter 0.25"):
            assert share[cloud, n] >= 0.9


@pytest.mark.parametrize("cloud", ["isotropic", "3 groups, scatter 0.25"])
def test_numbers_are_as_committed(cloud):
    assert np.mean(np.array([*numbers(cloud, 150, 5)]) == CELLS[cloud][0]) >= 0.8


if __name__ == "__main__":
    write()
