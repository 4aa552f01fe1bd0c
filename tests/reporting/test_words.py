"""Captions and sentences tell the true numbers of the results they stand beside."""

import json
import re

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.reporting import captions, methods
from popdyn.reporting.picture import brief
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
        ("relative_distance", ["Euclidean", "condition 0 at", "80 bootstrap", "99 draws in which"]),
        ("decode", ["stimCategory was decoded", "ridge of 1 ", "5-fold", "from 200 draws"]),
    ],
)
def test_the_methods_sentence_holds_the_true_parameters(analysis, said):
    written = plain(methods.sentence(made(analysis)))
    assert not [words for words in said if words not in written], written


def steps(*told):
    return json.dumps([{"step": name, "parameters": values} for name, values in told])


@pytest.mark.parametrize("analysis", [name for name in MAKERS if name != "raster"])
def test_every_percentage_of_an_interval_or_null_is_the_one_it_was_computed_for(analysis):
    result = made(analysis)
    captioned = {
        "condition_average": lambda: captions.condition_average({"a": result}, {"a": "neuron-3"}),
        "pca": lambda: captions.explained_variance({"a": result}),
        "relative_distance": lambda: captions.relative_distance({"a": result}),
        "decode": lambda: captions.decode({"a": result}),
    }[analysis]()
    for text in (methods.sentence(result), *captioned):
        assert set(re.findall(r"(\d+)[ \u00a0]%", text)) <= {"95"}, text
    if analysis != "condition_average":
        assert "95" in "".join(re.findall(r"(\d+)[ \u00a0]%", methods.sentence(result)))


@pytest.mark.parametrize(
    ("analysis", "null"),
    [
        ("pca", r"null distribution \(20 draws\).* samples shuffled on their own"),
        ("relative_distance", "from 99 draws in which trials were shuffled between the condition"),
        ("decode", "from 200 draws in which the labels were shuffled over trials within folds"),
    ],
)
def test_the_sentence_says_what_the_null_shuffles(analysis, null):
    assert re.search(null, plain(methods.sentence(made(analysis))))
    words = plain(captions.decode({"a": made("decode")})[0])
    assert "95 % of the accuracies with shuffled labels" in words


def test_bootstrap_and_shuffles_of_a_distance_are_counted_apart():
    result = made("relative_distance")
    assert captions.n_draws(result) == 99
    written = plain(methods.sentence(result))
    assert "80 bootstrap draws" in written
    assert "over its estimated error" in written  # null_draw: the test is studentized


def test_the_scorecard_says_that_p_of_a_distance_is_not_read_from_its_band():
    card = xr.Dataset(attrs={"method": "scorecard", "parameters": '{"analyses": ["decode"]}'})
    assert "distance" not in methods.sentence(card)
    card.attrs["parameters"] = '{"analyses": ["relative_distance"]}'
    assert "its null band is that of the distance itself" in methods.sentence(card)


def test_the_sentence_on_decoding_says_how_its_intervals_are_widened():
    written = plain(methods.sentence(made("decode")))
    assert "half a right and half a wrong trial added to each class, and are widened" in written


def distance_in(components, used):
    result = made("relative_distance", n_components=used)
    values = {**json.loads(result.attrs["parameters"]), "n_components": components}
    return plain(methods.sentence(result.assign_attrs(parameters=json.dumps(values))))


def test_distances_in_components_say_how_many_and_that_halves_were_crossed():
    crossed = "each half of the trials (split at random within conditions) was measured in the"
    written = distance_in("90%", 4)
    share = "principal components that hold 90 % of the variance of the averages"
    assert f"in the space of the first {share} (4 in the averages of all trials)" in written
    assert crossed in written
    written = distance_in(3, 3)
    assert "in the space of the first 3 principal components, from" in written
    assert crossed in written
    assert "component" not in distance_in(None, 0)


@pytest.mark.parametrize(
    ("before", "parameters", "said"),
    [
        (["rate"], {"offset": 5.0, "by": None}, "time of its average over all trials plus 5 Hz)"),
        ([], {"offset": 0.0312345, "by": None}, "time of its average over all trials plus 0.0312)"),
        (["rate"], {"offset": 5.0, "by": ["choice"]}, "time and conditions of its condition"),
        (["rate"], {"offset": 5.0}, "time and conditions of its condition averages plus 5 Hz)"),
    ],
)
def test_the_sentence_says_what_each_neuron_was_divided_by(before, parameters, said):
    done = steps(*((name, {}) for name in before), ("soft_normalize", parameters))
    written = plain(methods.sentence(made("decode", popdyn=done)))
    assert f"(each neuron divided by the range over {said}" in written


def test_the_sentence_on_soft_normalization_is_that_of_what_was_done():
    tensor = pdn.make_tensor(
        np.random.default_rng(0).poisson(2.0, (3, 8, 30)).astype("float32"),
        0.1 * np.arange(8),
        {"choice": ["left", "right"] * 15},
        name="spike_count",
        units="1",
    )
    ready = pdn.soft_normalize(pdn.rate(tensor))
    written = plain(methods.sentence(pdn.decode(ready, "choice", n_draws=5)))
    assert "converted to rates and soft-normalized (each neuron divided by the range" in written
    assert "of its average over all trials plus 5 Hz)" in written
    average = pdn.rate(tensor).mean("trial")
    spread = (average.max("time") - average.min("time")).values + 5.0
    undone = ready.values * spread[:, None, None]
    np.testing.assert_allclose(undone, pdn.rate(tensor).values, rtol=1e-5)


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
