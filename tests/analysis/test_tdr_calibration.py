"""Size and power of the tests of TDR, and what the cosine of halves says.

The committed results are written, cell by cell and going on where it stopped, by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_tdr_calibration``.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn
from tests.analysis.nominal import interval, outside

RESULTS = Path(__file__).parent / "results" / "tdr.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_tdr_calibration"
HEAD = ["cell", "n_sets", "rejected_at_05", "half_split_cosine", "cosine_with_truth"]
N_TIMES = 10
ANY, ANGLE, DENOISED = "p_any", "cosine_p", "p_any, denoised"

# Every neuron depends on a stimulus, with which the choice goes along, and on two other
# regressors; half of the noise is shared among neurons, and it lasts.  The effect of the choice
# is in standard deviations of the noise, in three of ten bins.
# Label: kind of noise, neurons, trials, effect, cosine of the axes (None: drawn), test, data sets.
CELLS = {
    "size of p_any, 16 trials": ("normal", 20, 16, 0.0, 0.0, ANY, 400),
    "size of p_any, 60 trials": ("normal", 20, 60, 0.0, 0.0, ANY, 400),
    "size of p_any, 60 trials, 40 neurons": ("normal", 40, 60, 0.0, 0.0, ANY, 400),
    "size of p_any, 60 trials, Poisson counts": ("poisson", 20, 60, 0.0, 0.0, ANY, 400),
    "size of p_any, 60 trials, a third missing": ("missing", 20, 60, 0.0, 0.0, ANY, 3000),
    "size of p_any, 60 trials, variance by choice": ("unequal", 20, 60, 0.0, 0.0, ANY, 400),
    **{
        f"power of p_any, {n_trials} trials, 20 neurons": (
            "normal", 20, n_trials, 0.25, 0.0, ANY, 100,
        )
        for n_trials in (20, 40, 80, 160, 320)
    },
    **{
        f"power of p_any, 80 trials, {n} neurons": ("normal", n, 80, 0.25, 0.0, ANY, 100)
        for n in (5, 10, 40)
    },
    **{
        f"size of cosine_p, {n_trials} trials": ("normal", 40, n_trials, 1.0, None, ANGLE, 400)
        for n_trials in (60, 240)
    },
    **{
        f"cosine_p of axes with cosine {cosine:g}, 240 trials": (
            "normal", 40, 240, 1.0, cosine, ANGLE, 100,
        )
        for cosine in (0.0, 0.5, 0.8, 0.95)
    },
    **{
        f"halves, denoised, effect {effect:g}, 60 trials": (
            "normal", 20, 60, effect, 0.0, DENOISED, 100,
        )
        for effect in (0.0, 0.25, 0.5)
    },
    "size of p_any, 240 trials, a third missing": ("missing", 20, 240, 0.0, 0.0, ANY, 400),
}  # fmt: skip


def axes(n_neurons, cosine, rng):
    """Directions of the state space of falling variance, and axes of choice and stimulus."""
    basis = np.linalg.qr(rng.normal(size=(n_neurons, n_neurons)))[0]
    root = basis / np.sqrt(np.arange(1, n_neurons + 1))
    choice, stimulus, first, second = (root @ rng.normal(size=(n_neurons, 4))).T
    choice, stimulus = choice / np.linalg.norm(choice), stimulus / np.linalg.norm(stimulus)
    if cosine is not None:
        rest = choice - choice @ stimulus * stimulus
        choice = cosine * stimulus + np.sqrt(1 - cosine**2) * rest / np.linalg.norm(rest)
    return root, np.sqrt(n_neurons) * np.stack([choice, stimulus, first, second])


def data(kind, n_neurons, n_trials, effect, cosine, rng):
    """Activity that follows the stimulus, and the choice in some of the bins."""
    trials = {name: rng.normal(size=n_trials) for name in ("stimulus", "speed", "reward")}
    bias = 1.2 if kind == "unequal" else 0.0
    choice = np.sign(trials["stimulus"] + 1.5 * rng.normal(size=n_trials) - bias)
    # No threshold on the stimulus gives the choice, however few the trials.
    choice[[trials["stimulus"].argmax(), trials["stimulus"].argmin()]] = [-1, 1]
    trials = {"choice": choice, **trials}
    root, along = axes(n_neurons, cosine, rng)
    during = ((np.arange(N_TIMES) >= 4) & (np.arange(N_TIMES) < 7)).astype(float)
    strength = np.array([effect, 0.5 if cosine == 0 else effect, 0.3, 0.3])
    drive = np.einsum("r,rn,t,rk->ntk", strength, along, during, np.stack(list(trials.values())))
    # A course that all trials share, of as many dimensions as there are bins.
    drive += 5.0 * (root @ rng.normal(size=(n_neurons, N_TIMES)))[:, :, None]
    time = 0.1 * np.arange(N_TIMES)
    shape = (n_neurons, N_TIMES, n_trials)
    if kind == "poisson":
        shared = 0.5 * rng.normal(size=(1, 1, n_trials))
        mean = 1.5 * np.exp(0.5 * (drive + shared))
        return pdn.make_tensor(rng.poisson(mean), time, trials, name="spike_count"), along
    noise = np.sqrt(0.5) * (rng.normal(size=shape) + rng.normal(size=(1, *shape[1:])))
    for i in range(1, N_TIMES):
        noise[:, i] = 0.8 * noise[:, i - 1] + 0.6 * noise[:, i]
    if kind == "unequal":
        noise *= np.where(choice > 0, 3.0, 1.0)
    if kind == "missing":
        for neuron in noise:
            neuron[:, rng.permutation(n_trials)[: n_trials // 3]] = np.nan
    return pdn.make_tensor(drive + noise, time, trials, units="1"), along


def outcome(kind, n_neurons, n_trials, effect, cosine, what, rng):
    """Whether the test rejects, how far the choice axis repeats, and how true it is."""
    x, along = data(kind, n_neurons, n_trials, effect, cosine, rng)
    trial_columns = ["choice", "stimulus", "speed", "reward"]
    n_components = "cv" if what == DENOISED else None
    options = {"by": "choice", "n_components": n_components, "smooth": 0.0, "rng": rng}
    n_splits = 1 if what == ANY else 10
    model = pdn.TDR(trial_columns, n_splits=n_splits, n_draws=99, **options).fit(x)
    found = model.result_
    truth = along[0] / model.scale_.values
    true = float(model.raw_axes_.values[0] @ truth / np.linalg.norm(truth))
    p = found["cosine_p"].values[0, 1] if what == ANGLE else found["p_any"].values[0]
    return [float(p <= 0.05), float(found["half_split_cosine"][0]), true]


def measure(*cell, seed):
    *setting, n_sets = cell
    rngs = np.random.default_rng(seed).spawn(n_sets)
    means = np.mean([outcome(*setting, rng) for rng in rngs], axis=0)
    return [n_sets, *(f"{mean:.4f}" for mean in means)]


def rows():
    if not RESULTS.exists():
        return {}
    lines = RESULTS.read_text().splitlines()[1:]
    return {row["cell"]: row for row in csv.DictReader(lines)}


def write():
    done = rows()
    RESULTS.parent.mkdir(exist_ok=True)
    if not done:
        RESULTS.write_text(f"{COMMAND}\n{','.join(HEAD)}\n")
    for seed, (label, cell) in enumerate(CELLS.items()):
        if label not in done:
            with RESULTS.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow([label, *measure(*cell, seed=seed)])


# Known not to hold its level; the page says so.
NOT_EXACT = ("size of p_any, 60 trials, variance by choice",)


@pytest.mark.parametrize("label", [n for n in CELLS if "size of p_any" in n and n not in NOT_EXACT])
def test_the_committed_size_is_within_the_binomial_interval(label):
    row = rows()[label]
    lower, upper = interval(int(row["n_sets"]))
    assert int(row["n_sets"]) >= 400
    assert lower <= float(row["rejected_at_05"]) <= upper


@pytest.mark.parametrize("n_trials", [60, 240])
def test_axes_drawn_at_random_are_called_close_at_the_nominal_rate(n_trials):
    row = rows()[f"size of cosine_p, {n_trials} trials"]
    lower, upper = interval(int(row["n_sets"]))
    assert int(row["n_sets"]) >= 400
    assert lower <= float(row["rejected_at_05"]) <= upper


def test_every_size_lies_within_95_percent_of_such_measurements():
    sizes = {
        label: (float(row["rejected_at_05"]), int(row["n_sets"]))
        for label, row in rows().items()
        if "size" in label and label not in NOT_EXACT
    }
    assert len(sizes) == 8
    assert outside(sizes, 0.95) == set()


def test_close_axes_are_found():
    found = rows()
    power = [
        float(found[f"cosine_p of axes with cosine {cosine:g}, 240 trials"]["rejected_at_05"])
        for cosine in (0.0, 0.5, 0.8, 0.95)
    ]
    assert power[0] <= 0.05
    assert (np.diff(power) >= 0).all()
    assert power[-1] > 0.9


def test_committed_power_rises_with_trials_and_neurons():
    found = rows()
    trials = [f"power of p_any, {n} trials, 20 neurons" for n in (20, 40, 80, 160, 320)]
    neurons = [f"power of p_any, 80 trials, {n} neurons" for n in (5, 10, 40)]
    neurons.insert(2, "power of p_any, 80 trials, 20 neurons")
    power = [float(found[label]["rejected_at_05"]) for label in trials]
    assert (np.diff(power) >= 0).all()
    assert power[-1] > 0.9
    # Noise that neurons share does not become less with more of them.
    power = [float(found[label]["rejected_at_05"]) for label in neurons]
    assert power[0] < power[-1]


def test_without_an_effect_halves_do_not_agree():
    row = rows()["size of p_any, 60 trials"]
    assert abs(float(row["half_split_cosine"])) < 0.06
    assert abs(float(row["cosine_with_truth"])) < 0.06


@pytest.mark.parametrize("n_trials", [40, 80, 160, 320])
def test_halves_say_how_true_an_axis_is(n_trials):
    row = rows()[f"power of p_any, {n_trials} trials, 20 neurons"]
    half, true = float(row["half_split_cosine"]), float(row["cosine_with_truth"])
    assert np.sqrt(2 * half / (1 + half)) == pytest.approx(true, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("label", ["size of p_any, 16 trials", "size of p_any, 60 trials"])
def test_the_size_can_be_had_again(label):
    n_sets, share, _, _ = measure(*CELLS[label][:-1], 400, seed=99)
    lower, upper = interval(n_sets)
    assert lower <= float(share) <= upper


if __name__ == "__main__":
    write()
