"""The numbers of the MATLAB toolbox, see reference/dpca_matlab.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.dpca_grid import make_grid
from popdyn.analysis.dpca_lambda import fold_errors
from popdyn.analysis.dpca_significance import Question, _one, fold_accuracy
from popdyn.analysis.dpca_terms import marginalizations
from popdyn.analysis.dpca_trials import make_noise, make_trials

SHAPE = (14, 3, 2, 9)
N_MOST = 6
STRENGTH = 5e-3
# In the order of the script.
NAMES = ["stimulus", "decision", "time", "stimulus x decision"]


@pytest.fixture(scope="module")
def matlab():
    with np.load(Path(__file__).parent / "reference" / "dpca_matlab.npz") as file:
        return dict(file)


def closed_form():
    """Rates (neuron, stimulus, decision, time), and noise with trials last."""
    n, s, q, t = np.meshgrid(*(np.arange(1.0, size + 1) for size in SHAPE), indexing="ij")
    rates = (
        10
        + 3 * np.sin(0.7 * n + 0.9 * t) * (1 + 0.2 * np.cos(n))
        + 2 * np.cos(1.3 * n) * (s - 2) * t / SHAPE[3]
        + 1.5 * np.sin(2.1 * n + 0.5) * (2 * q - 3) * (t > 4) * (1 + 0.1 * t)
        + 0.6 * np.cos(0.4 * n**2) * (s - 2) * (2 * q - 3) * np.cos(0.5 * t)
        + 0.4 * np.sin(n * s + t)
        + 0.3 * np.cos(n * q - 0.7 * t * s)
    )
    index = np.arange(rates.size * N_MOST, dtype=float).reshape((*SHAPE, N_MOST), order="F")
    return rates, 6 * (np.mod(index**2 * 7 + index * 31, 10007) / 10007 - 0.5)


def counts(together):
    n, s, q = np.meshgrid(*(np.arange(1, size + 1) for size in SHAPE[:3]), indexing="ij")
    return 3 + (s + 2 * q + (0 if together else n)) % 4


def tensor(together=True):
    """Trials of the closed form, cell by cell, NaN past a neuron's own number."""
    rates, noise = closed_form()
    trials = rates[..., None] + noise
    n_own = counts(together)
    known = np.arange(N_MOST) < n_own[..., None]
    trials = np.where(known[:, :, :, None], trials, np.nan)
    values = np.moveaxis(trials, 3, 1).reshape(SHAPE[0], SHAPE[3], -1)
    s, q, k = np.meshgrid([1, 2, 3], [-1, 1], range(N_MOST), indexing="ij")
    kept = np.isfinite(values).any(axis=(0, 1))
    columns = {"stimulus": s.ravel()[kept], "decision": q.ravel()[kept], "k": k.ravel()[kept]}
    made = pdn.make_tensor(values[:, :, kept], np.arange(1.0, 10), columns, units="1")
    made.attrs["simultaneous"] = int(together)
    return made


def held_out(trials, call, together):
    """Trials that the counting `rand` of the script chooses, (neuron or 1, cell)."""
    n_own = counts(together)
    size = n_own[0].size if together else n_own.size
    draw = np.mod(0.37 * np.arange(1, size + 1) + 0.11 * call, 1)
    draw[draw == 0] = 0.5
    if together:
        own = np.ceil(draw * n_own[0].ravel(order="F"))
        chosen = own.reshape(n_own.shape[1:], order="F").reshape(1, -1)
    else:
        own = np.ceil(draw * n_own.ravel(order="F"))
        chosen = own.reshape(n_own.shape, order="F").reshape(len(n_own), -1)
    first = np.searchsorted(trials.cell, np.arange(trials.n_cells))
    return first + chosen.astype(int) - 1


def agree(dpca, matlab, case, names=NAMES):
    """Compare variances, marginalizations and axes with a case of the script."""
    result = dpca.result_
    of = matlab[f"{case}_which"].astype(int) - 1
    assert [names[i] for i in of] == dpca.marginalization_.values.tolist()
    share = {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(
        100 * result.explained_variance_ratio, matlab[f"{case}_componentVar"], **share
    )
    np.testing.assert_allclose(
        100 * result.cumulative_ratio, matlab[f"{case}_cumulativeDPCA"], **share
    )
    np.testing.assert_allclose(
        100 * result.pca_cumulative_ratio, matlab[f"{case}_cumulativePCA"], **share
    )
    np.testing.assert_allclose(
        result.marginal_ratio.sel(marginalization=names) * result.total_variance,
        matlab[f"{case}_totalMarginalizedVar"], **share,
    )  # fmt: skip
    by_part = result.ratio_by_marginalization.sel(marginalization=names).values.T
    np.testing.assert_allclose(100 * by_part, matlab[f"{case}_margVar"], rtol=1e-7, atol=1e-10)
    # The reference leaves the sign open where as many entries are positive as negative.
    sign = np.sign((result.encoder.values.T * matlab[f"{case}_V"]).sum(axis=0))
    tied = np.sign(matlab[f"{case}_V"]).sum(axis=0) == 0
    assert ((sign == 1) | tied).all()
    np.testing.assert_allclose(result.encoder.values.T, sign * matlab[f"{case}_V"], atol=1e-7)
    size = np.abs(matlab[f"{case}_W"]).max()
    np.testing.assert_allclose(
        result.decoder.values.T, sign * matlab[f"{case}_W"], atol=1e-7 * size
    )


@pytest.mark.parametrize(
    ("case", "strength", "noise"),
    [
        ("plain", 0.0, "none"),
        ("lambda", STRENGTH, "none"),
        ("lambdas", None, "none"),
        ("full", STRENGTH, "full"),
        ("full0", 0.0, "full"),
    ],
)
def test_components_of_neurons_recorded_together_are_those_of_matlab(matlab, case, strength, noise):
    if strength is None:
        each = [STRENGTH, STRENGTH / 10, 0, 2 * STRENGTH]
        strength = dict(zip(NAMES, each, strict=True))
    dpca = pdn.DPCA(regularization=strength, noise_covariance=noise).fit(tensor())
    agree(dpca, matlab, case)


def test_components_of_neurons_recorded_apart_are_those_of_matlab(matlab):
    agree(pdn.DPCA(regularization=STRENGTH, noise_covariance="diagonal").fit(tensor(False)),
          matlab, "diagonal")  # fmt: skip


def test_a_condition_average_gives_the_components_of_its_trials(matlab):
    average = pdn.condition_average(tensor(), ["stimulus", "decision"])
    agree(pdn.DPCA(regularization=STRENGTH).fit(average), matlab, "lambda")


def test_one_number_of_components_in_matlab_is_the_first_of_ours(matlab):
    """There a single number is that of all components, here of each marginalization."""
    found = pdn.DPCA().fit(tensor()).explained_variance_ratio_[:3]
    np.testing.assert_allclose(100 * found, matlab["total_componentVar"], rtol=1e-9)


def test_terms_that_are_not_joined_are_those_of_matlab(matlab):
    names = ["stimulus", "decision", "time", "stimulus x decision", "stimulus x time"]
    names += ["decision x time", "stimulus x decision x time"]
    dpca = pdn.DPCA(n_components=1, regularization=STRENGTH, join=None).fit(tensor())
    agree(dpca, matlab, "apart", names)


def test_one_factor_is_that_of_matlab(matlab):
    one = tensor()
    one = one.isel(trial=np.flatnonzero(one["decision"] == -1))
    agree(pdn.DPCA(["stimulus"], 2).fit(one), matlab, "one", ["stimulus", "time"])


def test_three_factors_are_those_of_matlab(matlab):
    n, a, b, c, t = np.meshgrid(
        *(np.arange(1.0, size + 1) for size in (10, 3, 2, 2, 5)), indexing="ij"
    )
    values = (
        8 + np.sin(n + t) + np.cos(2 * n) * (a - 2) + 1.2 * np.sin(3 * n) * (2 * b - 3) * t
        + 0.8 * np.cos(0.5 * n**2) * (2 * c - 3) * np.sin(t)
        + 0.5 * np.sin(1.7 * n) * (a - 2) * (2 * c - 3)
        + 0.4 * np.cos(2.3 * n) * (2 * b - 3) * (2 * c - 3) * t + 0.3 * np.sin(n * a * b + c * t)
    )  # fmt: skip
    factors = dict(zip("abc", (axis[0, ..., 0].ravel() for axis in (a, b, c)), strict=True))
    average = xr.DataArray(
        np.moveaxis(values.reshape(10, 12, 5), 1, 2),
        dims=("neuron", "time", "condition"),
        coords={name: ("condition", column) for name, column in factors.items()},
    )
    names = ["a", "b", "c", "time", "a x b", "a x c", "b x c", "a x b x c"]
    agree(pdn.DPCA(["a", "b", "c"], 1, 1e-3).fit(average), matlab, "three", names)


@pytest.mark.parametrize("together", [True, False])
def test_noise_covariances_are_those_of_matlab(matlab, together):
    trials = make_trials(make_grid(tensor(together), ("stimulus", "decision"), "refuse"))
    noise = make_noise(trials, None).covariance(trials, trials.averages(), None)
    np.testing.assert_allclose(noise, matlab["Csim" if together else "Csep"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("together", "case"), [(True, "cvsim"), (False, "cvsep")])
def test_errors_of_held_out_trials_are_those_of_matlab(matlab, together, case):
    trials = make_trials(make_grid(tensor(together), ("stimulus", "decision"), "refuse"))
    chosen = marginalizations(["stimulus", "decision"])
    averages, noise = trials.averages(), make_noise(trials, None)
    tried = 1e-4 * 2.0 ** np.arange(13)
    for fold, expected in enumerate(matlab[f"{case}_errors"].T):
        index = held_out(trials, fold, together)
        error, power = fold_errors(trials, averages, chosen, [3] * 4, noise, tried, index)
        np.testing.assert_allclose(error.sum(axis=0) / power.sum(), expected, rtol=1e-9)


def test_accuracies_of_held_out_trials_are_those_of_matlab(matlab):
    trials = make_trials(make_grid(tensor(), ("stimulus", "decision"), "refuse"))
    chosen = marginalizations(["stimulus", "decision"])
    noise = make_noise(trials, "full")
    question = Question(chosen, (1,) * 4, (STRENGTH,) * 4, noise, 7)
    averages = trials.averages()
    for position, row in zip((1, 2), (0, 1), strict=True):
        one = _one(trials, question, position, (position - 1,))
        folds = [
            fold_accuracy(one, trials, averages, held_out(trials, fold, True), 1, np.ones((14, 1)))
            for fold in range(7)
        ]
        np.testing.assert_allclose(np.mean(folds, axis=0)[0], matlab["accuracy"][row], atol=1e-12)


def test_the_reference_counts_less_noise_than_there_is(matlab):
    """Its total lacks the factor n / (n - 1) of a variance, here about 1.3."""
    result = pdn.DPCA().fit(tensor(False)).result_
    ours = float(result.total_noise_ratio * result.total_variance)
    assert 1.15 < ours / matlab["diagonal_noise"][0] < 1.5
