"""Captions and sentences tell the true numbers of the results they stand beside."""

import json

import numpy as np
import pytest

from popdyn.reporting import captions, methods
from popdyn.reporting.pictures import brief
from tests.reporting.conftest import MAKERS, condition_average, decode, raster, relative_distance

LABELS = ["0", "1", "2"]


def made(name, **attrs):
    return MAKERS[name](np.random.default_rng(0), LABELS).assign_attrs(attrs)


def plain(text):
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        ("raster", ["from −0.5 to 1 s around boundary1_time", "sorted by stimCategory"]),
        ("condition_average", ["smoothed with a Gaussian of 40 ms", "fewer than 2 trials"]),
        ("pca", ["Principal components (3)", "100 splits", "(20 draws)", "in bins of 50 ms"]),
        ("relative_distance", ["Euclidean", "condition 0 at", "99 bootstrap", "99 draws in which"]),
        ("decode", ["stimCategory was decoded", "ridge of 1 ", "5-fold", "from 200 draws"]),
    ],
)
def test_the_methods_sentence_holds_the_true_parameters(analysis, said):
    written = plain(methods.sentence(made(analysis)))
    assert not [words for words in said if words not in written], written


def test_other_parameters_make_another_sentence():
    result = made("decode")
    values = json.loads(result.attrs["parameters"])
    other = result.assign_attrs(parameters=json.dumps({**values, "n_folds": 10}))
    assert "10-fold" in methods.sentence(other)


def test_what_was_not_computed_is_not_claimed():
    bare = made("relative_distance").drop_vars(
        ["squared_distance_bound", "null_mean_squared_distance", "squared_distance"]
    )
    written = methods.sentence(bare)
    assert "bootstrap" not in written
    assert "shuffled" not in written
    assert "corrected" not in written


def test_sources_with_the_same_parameters_share_a_sentence_but_not_their_seeds():
    results = {"a": made("decode", seed="1"), "b": made("decode", seed="2")}
    ((sources, written),) = methods.shared(results)
    assert sources == ""
    assert written.endswith("Random seeds: 1 (a) and 2 (b).")


def test_sources_with_other_parameters_have_their_own_sentence():
    other = made("decode", label="choice")
    told = methods.shared({"a": made("decode"), "b": other, "c": other})
    assert [sources for sources, _ in told] == ["a", "b and c"]


def test_the_caption_counts_trials_by_condition():
    average = condition_average(np.random.default_rng(0), LABELS)
    told = captions.condition_average({"human": average}, {"human": "neuron-3"})
    assert "12 of 0, 12 of 1 and 12 of 2 (stimCategory)" in told[1]
    told = captions.raster({"human": raster(np.random.default_rng(0), LABELS)})
    assert "12 of 0, 12 of 1 and 12 of 2" in told[1]


def test_the_caption_tells_distance_and_p_of_every_condition_but_the_reference():
    result = relative_distance(np.random.default_rng(0), LABELS)
    written = plain(captions.relative_distance({"human": result})[1])
    assert "reference 0" in written
    assert "1: mean squared distance" in written
    assert "; 0: mean squared" not in written
    assert "p = .010" in written


def test_the_caption_of_decoding_tells_accuracy_interval_p_and_chance():
    result = decode(np.random.default_rng(0), LABELS)
    written = plain(captions.decode({"human": result})[1])
    assert f"mean accuracy {result['mean_accuracy'].item():.3f}" in written
    assert "p = .005" in written
    assert "chance 0.333" in written


def test_a_note_of_a_result_is_told():
    told = captions.decode({"a": made("decode", note="neurons were not recorded together")})
    assert "neurons were not recorded together" in told[1]


def test_long_labels_are_shortened_and_stay_unique():
    result = decode(np.random.default_rng(0), ["x" * 50, "x" * 60, "short"])
    labels = brief(result)["condition"].values.tolist()
    assert len(set(labels)) == 3
    assert max(map(len, labels)) <= 28
    assert labels[2] == "short"
    assert result["condition"].values[0] == "x" * 50
