"""Multisensory decision: one evidence, through one sense or both."""

from __future__ import annotations

import numpy as np
import pytest

from popdyn.errors import TensorError
from popdyn.tasks import MultisensoryDecision

SHORT = dict.fromkeys(
    [f"{n}_duration" for n in ("fixation", "cue", "stimulus", "delay", "decision")], 0.01
)


def test_both_senses_agree_and_absent_ones_are_silent():
    trials = MultisensoryDecision(stimulus_noise=0.0).sample(360, rng=0)
    visual, auditory = trials["stimulus"].values, trials["stimulus_2"].values
    modality = trials["modality"].values
    assert (visual * auditory > 0)[modality == "both"].all()
    assert (auditory[modality == "visual"] == 0).all()
    assert (visual[modality == "auditory"] == 0).all()
    assert (trials["target_choice"].values == np.sign(visual + auditory)).all()
    assert (trials["inputs"].values[1][:, modality == "visual"] == 0).all()
    assert len(set(zip(visual, auditory, strict=True))) == 6 + 6 + 18


def test_modalities_are_equally_frequent_whatever_their_combinations():
    trials = MultisensoryDecision(**SHORT).sample(60, rng=0)
    modality = trials["modality"].values
    assert [(modality == name).sum() for name in ("visual", "auditory", "both")] == [20, 20, 20]
    assert (trials["target_choice"].values[modality == "both"] > 0).sum() == 10


def test_unbalanced_conditions_come_as_often_as_chance_says():
    trials = MultisensoryDecision(balanced=False, **SHORT).sample(6000, rng=0)
    modality, visual = trials["modality"].values, trials["stimulus"].values
    auditory = trials["stimulus_2"].values
    for event, p in (
        (modality == "both", 1 / 3),
        ((modality == "visual") & (visual == 0.4), 1 / 18),
        ((modality == "both") & (visual == 0.1) & (auditory == 0.4), 1 / 54),
    ):
        assert abs(event.mean() - p) < 4 * np.sqrt(p * (1 - p) / 6000)


def test_cues_last_until_the_stimuli_end():
    trials = MultisensoryDecision(stimulus_noise=0.0).sample(30, rng=0, dt=0.005)
    integral = trials["inputs"].sum("step_time").values * 0.005
    modality = trials["modality"].values
    assert np.allclose(integral[0], 0.8 * trials["stimulus"])
    assert np.allclose(integral[2], 0.1 * 1.15 * np.isin(modality, ["visual", "both"]))
    assert np.allclose(integral[3], 0.1 * 1.15 * np.isin(modality, ["auditory", "both"]))


def test_one_sign_alone_and_zero_can_be_asked_for():
    one = MultisensoryDecision(stimuli=(0.2,), modalities=("both",)).sample(4, rng=0)
    assert (one["target_choice"] == 1).all()
    task = MultisensoryDecision(stimuli=(-0.2, 0.0, 0.2))
    trials = task.sample(90, rng=0)
    catch = trials["target_choice"].values == 0
    assert catch.sum() == 30
    assert np.isnan(task.response(trials["target"], trials)["correct"].values[catch]).all()


def test_unknown_modalities_are_refused():
    with pytest.raises(TensorError, match="found 'visal'; did you mean 'visual'?"):
        MultisensoryDecision(modalities=("visal",))
    with pytest.raises(TensorError, match="cue_strength must be positive"):
        MultisensoryDecision(cue_strength=0)
