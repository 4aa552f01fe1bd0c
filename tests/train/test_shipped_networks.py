"""The networks of data/networks are those of its page, load in a line and do their tasks."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn

FOLDER = Path(__file__).parents[2] / "data" / "networks"
TABLE = pd.read_csv(FOLDER / "networks.csv", keep_default_na=False)


def test_every_file_is_the_one_that_was_measured():
    for name, sha256 in TABLE[["network", "sha256"]].drop_duplicates().itertuples(index=False):
        found = hashlib.sha256((FOLDER / f"{name}.nc").read_bytes()).hexdigest()
        assert found == sha256, name


def test_ten_sets_of_five_seeds_are_there():
    names = TABLE["network"].unique()
    assert len(names) == 50
    seeds = pd.Series(names).str.rpartition("_")[2].value_counts()
    assert seeds.to_dict() == {str(seed): 10 for seed in range(5)}


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("interval_production_jitter_2", pdn.tasks.IntervalProduction(inter_trial=0.2)),
        ("frequency_jitter_3", pdn.tasks.FrequencyDiscrimination(inter_trial=0.2)),
    ],
)
def test_a_shipped_network_does_its_task(name, task):
    net = pdn.load(FOLDER / f"{name}.nc")
    trials = task.sample(31, rng=0, dt=net.dt)
    sim = pdn.simulate(net, trials, record=(), continuous=True)
    assert sim["correct"].isel(trial=slice(1, None)).mean() > 0.8


@pytest.mark.parametrize("name", ["interval_production", "frequency", "ready_set_go"])
def test_jitter_makes_networks_contract_and_its_absence_does_not(name):
    slope = TABLE.assign(set=TABLE["network"].str.rpartition("_")[0]).groupby("set")["slope"]
    jitter, exact = slope.get_group(f"{name}_jitter"), slope.get_group(f"{name}_exact")
    assert jitter.max() < exact.min()


def test_the_larger_the_error_of_the_senses_the_stronger_the_contraction():
    slope = pd.read_csv(FOLDER / "spread.csv").groupby("arm")["slope"].mean()
    for task in ("frequency", "interval"):
        assert slope[f"{task}_noise_small"] > slope[task] > slope[f"{task}_noise_large"]


def test_a_detection_network_answers_as_its_table_says():
    table = pd.read_csv(FOLDER / "detection.csv").set_index(["network", "stimulus"])
    row = table.loc["detection_1"]
    task = pdn.tasks.Detection(
        onset=(0.3, 1.3),
        stimulus_duration=0.3,
        delay_duration=0.5,
        report_duration=0.3,
        inter_trial=0.3,
        stimulus_noise=row["stimulus_noise"].iloc[0],
    )
    net = pdn.load(FOLDER / "detection_1.nc")
    trials = task.sample(361, rng=7, dt=net.dt)
    sim = pdn.simulate(net, trials, record=(), task=task, continuous=True)
    said_yes = (sim["choice"] > 0).isel(trial=slice(1, None))
    for strong, stimuli in ((False, [0.0]), (True, [0.7499, 1.0])):
        share = float(said_yes[np.isin(said_yes["stimulus"], stimuli)].mean())
        # 180 and 40 trials: within four standard errors of the share of 1,800 and 400.
        assert abs(share - row.loc[stimuli, "share_yes"].mean()) < (0.06 if strong else 0.11)


def test_the_control_is_the_activity_of_target_networks():
    average = pdn.load(FOLDER / "frequency_target_activity.nc")
    assert average["rate"].dims == ("neuron", "time", "condition")
    assert np.isfinite(average["rate"]).all()
    assert average["stimulus"].to_numpy().tolist() == [10, 14, 18, 22, 26, 30, 34]


def test_histories_say_how_each_network_was_chosen():
    histories = pdn.load(FOLDER / "histories.nc")
    for name in TABLE["network"].unique():
        history = histories[name]
        accuracy = history["accuracy"].to_numpy()
        assert accuracy[int(history["best"])] == np.nanmax(accuracy)
