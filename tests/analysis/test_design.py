import numpy as np
import pytest

import popdyn as pdn
from popdyn.analysis.design import make_design, refuse_collinear, refuse_confounded
from popdyn.errors import PopdynWarning, TensorError


def tensor(**columns):
    n = len(next(iter(columns.values())))
    return pdn.make_tensor(np.ones((1, 1, n)), [0.0], trials=columns, bin_width=0.1)


def test_two_levels_are_minus_and_plus_one_in_sorted_order_and_the_intercept_is_last():
    x = tensor(choice=["right", "left", "right"], rewarded=[True, False, True], coherence=[3, 1, 2])
    design = make_design(x, ["choice", "rewarded", "coherence"])
    assert design.names == ("choice", "rewarded", "coherence", "intercept")
    assert design.matrix.tolist() == [[1, 1, 3, 1], [-1, -1, 1, 1], [1, 1, 2, 1]]
    assert design.terms == ("choice", "rewarded", "coherence")


def test_given_levels_decide_the_order_also_of_numbers():
    x = tensor(choice=["right", "left"], context=[1, 2])
    design = make_design(
        x, ["choice", "context"], levels={"choice": ["right", "left"], "context": [2, 1]}
    )
    assert design.matrix[:, :2].tolist() == [[-1, 1], [1, -1]]


def test_the_order_of_a_role_is_that_of_its_value_map():
    x = tensor(side=["l", "r"])
    role = {"column": "side", "values": {"r": "right", "l": "left"}}
    assert make_design(x, ["choice"], roles={"choice": role}).matrix[:, 0].tolist() == [1, -1]
    role = {"column": "side", "values": {"l": -1, "r": 1}}
    assert make_design(x, ["choice"], roles={"choice": role}).matrix[:, 0].tolist() == [-1, 1]


def test_more_levels_are_sum_coded_as_patsy_does_it():
    import patsy

    odor = ["a", "c", "b", "d", "a"]
    design = make_design(tensor(odor=odor), ["odor"])
    expected = np.asarray(patsy.dmatrix("C(odor, Sum)", {"odor": odor}))[:, 1:]
    np.testing.assert_array_equal(design.matrix[:, :-1], expected)
    assert design.names[:3] == ("odor[a]", "odor[b]", "odor[c]")
    assert design.columns("odor").tolist() == [0, 1, 2]


def test_interactions_are_products():
    x = tensor(choice=["l", "l", "r", "r"], context=["a", "b", "c", "a"], speed=[1.0, 2, 3, 4])
    design = make_design(x, ["choice:speed", "choice:context"])
    assert design.names[:3] == ("choice:speed", "choice:context[a]", "choice:context[b]")
    assert design.matrix[:, 0].tolist() == [-1, -2, 3, 4]
    assert design.matrix[:, 1].tolist() == [-1, 0, -1, 1]
    assert design.terms == ("choice:speed", "choice:context")


def test_a_formula_is_read_by_patsy_and_loses_no_trial_count():
    x = tensor(choice=["l", "r", "", "r"], speed=[1.0, 2.0, 3.0, 4.0])
    with pytest.warns(PopdynWarning, match="1 of 4 trials have no value of choice"):
        design = make_design(x, "~ choice + np.log(speed)")
    assert design.names == ("choice[T.r]", "np.log(speed)", "intercept")
    np.testing.assert_allclose(design.matrix[:, 1], np.log([1, 2, 4]))
    assert design.kept.tolist() == [0, 1, 3]


def test_times_are_in_seconds_and_say_so():
    x = pdn.make_tensor(
        np.ones((1, 1, 3)), [0.0], trials={"ts": [500.0, 800.0, 900.0], "choice": ["l", "r", "l"]},
        column_attrs={"ts": {"units": "ms"}}, bin_width=0.1,
    )  # fmt: skip
    design = make_design(x, ["ts", "ts:choice"])
    assert design.matrix[:, 0].tolist() == [0.5, 0.8, 0.9]
    assert design.units == ("s", "s", "1")


def test_trials_without_a_regressor_are_left_out_and_said():
    x = tensor(choice=["l", "r", "", "r"], speed=[1.0, np.nan, 3.0, 4.0])
    with pytest.warns(PopdynWarning, match="2 of 4 trials have no value of choice, speed"):
        assert make_design(x, ["choice", "speed"]).kept.tolist() == [0, 3]


@pytest.mark.parametrize(
    ("columns", "regressors", "message"),
    [
        ({"choice": ["l", "r"]}, ["chioce"], "choice"),
        ({"choice": ["l", "r"]}, ["choice", "choice"], "found choice twice"),
        ({"choice": ["l", "r"]}, [], "each once; found none"),
        ({"choice": ["l", "l"]}, ["choice"], "'choice' has one level only .l."),
        ({"speed": [2.0, 2.0]}, ["speed"], "'speed' has one value only .2. on the 2 trials"),
        ({"speed": [2.0, np.inf]}, ["speed"], "'speed' holds infinite values"),
        ({"speed": [2.0, 1.0]}, "speed +", "neither a trial column nor a formula"),
        (
            {"choice": ["l", "r"], "speed": [2.0, 1.0]},
            "choise + np.log(speed)",
            "'choise', which the formula .* names. Did you mean 'choice'[?] Columns: choice, speed",
        ),
        (
            {"speed": [2.0, 1.0]},
            "Q('sped')",
            "no trial column 'sped', which .* Did you mean 'speed'",
        ),
        ({"speed": [2.0, 1.0]}, "speed + xyz", "no trial column 'xyz', which .* names. Columns"),
        ({"speed": [2.0, 1.0]}, "0 + speed", "leaves the intercept out"),
        ({"speed": [2.0, 1.0]}, "1", "no regressor beside the intercept"),
        ({"a": [np.nan, 1.0], "b": [1.0, np.nan]}, ["a", "b"], "no trial has a value of every"),
        ({"speed": [2.0, 1.0]}, "rate ~ speed", "left side, 'rate', .* tensor: write 'speed'"),
        ({"speed": [2.0, 1.0]}, None, "a list of trial columns, or one formula; found NoneType"),
        ({"speed": [2.0, 1.0]}, 3, "found int 3"),
        ({"speed": [2.0, 1.0]}, {"speed"}, "found set .*, whose order .* give a list"),
    ],
)
def test_what_cannot_be_a_regressor_is_refused(columns, regressors, message):
    with pytest.raises(TensorError, match=message):
        make_design(tensor(**columns), regressors)


@pytest.mark.parametrize(
    ("levels", "message"), [(["l"], "r not among them"), (["l", "r", "x"], "no trial of x")]
)
def test_levels_that_do_not_fit_are_named(levels, message):
    with pytest.raises(TensorError, match=message):
        make_design(tensor(choice=["l", "r"]), ["choice"], levels={"choice": levels})


@pytest.mark.parametrize("regressors", [["choice", "speed"], "C(choice) + speed"])
def test_levels_of_what_is_no_regressor_are_refused_and_the_nearest_named(regressors):
    x = tensor(choice=["l", "r", "l", "r"], speed=[1.0, 2.0, 4.0, 3.0], context=["a", "b"] * 2)
    with pytest.raises(TensorError, match="'choise', which is no .* 'choice'[?] .*: choice, speed"):
        make_design(x, regressors, levels={"choise": ["r", "l"]})
    with pytest.raises(TensorError, match="levels are given of 'context', which is no regressor"):
        make_design(x, regressors, levels={"context": ["b", "a"]})
    with pytest.raises(TensorError, match="levels must map a column to its levels"):
        make_design(x, regressors, levels=["r", "l"])


def test_given_levels_decide_the_order_in_a_formula_too():
    x = tensor(choice=["l", "r", "l", "", "r"], number=[3.0, 5.0, 7.0, 7.0, 5.0])
    with pytest.warns(PopdynWarning, match="1 of 5 trials have no value of C.choice."):
        design = make_design(x, "C(choice)", levels={"choice": ["r", "l"]})
    assert design.names == ("C(choice)[T.l]", "intercept")
    assert design.matrix[:, 0].tolist() == [1.0, 0.0, 1.0, 0.0]
    design = make_design(x, "1 + number", levels={"number": [5, 3, 7]})
    assert design.names == ("number[T.3]", "number[T.7]", "intercept")
    with pytest.raises(TensorError, match="7 not among them"):
        make_design(x, "1 + number", levels={"number": [5, 3]})


@pytest.mark.parametrize("regressors", [["speed", "trial"], "speed + trial"])
def test_the_number_of_the_trial_is_a_regressor_like_any_other(regressors):
    x = tensor(speed=[1.0, 2.0, 4.0, 3.0]).isel(trial=[0, 2, 3])
    design = make_design(x, regressors)
    assert design.names == ("speed", "trial", "intercept")
    assert design.matrix[:, 1].tolist() == [0.0, 2.0, 3.0]


def test_functions_in_a_formula_are_no_columns():
    x = tensor(choice=["l", "r", "l"], speed=[1.0, 2.0, 4.0])
    design = make_design(x, "center(speed) + C(choice, Sum) + np.log(speed) + abs(speed)")
    assert len(design.terms) == 4


def test_regressors_that_are_the_same_are_named():
    rng = np.random.default_rng(0)
    stimulus = rng.choice([-1, 1], 30)
    x = tensor(
        stimulus=stimulus, choice=np.where(stimulus > 0, "b", "a"), speed=rng.normal(size=30)
    )
    with pytest.raises(TensorError, match="^'stimulus' and 'choice' are the same up to sign"):
        refuse_collinear(make_design(x, ["stimulus", "speed", "choice"]))
    refuse_collinear(make_design(x, ["speed", "choice"]))


def test_regressors_that_add_up_are_named_and_the_innocent_are_not():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 30))
    x = tensor(a=a, b=b, total=a - 2 * b + 1000, c=c)
    with pytest.raises(TensorError, match="^'a', 'b' and 'total' are tied") as caught:
        refuse_collinear(make_design(x, ["a", "b", "c", "total"]))
    assert "'c'" not in str(caught.value)


def test_a_large_offset_is_no_confound():
    rng = np.random.default_rng(0)
    x = tensor(start=1e6 + rng.normal(size=20), choice=rng.choice([-1, 1], 20))
    refuse_collinear(make_design(x, ["start", "choice"]))


def test_as_many_coefficients_as_trials_are_refused():
    x = tensor(a=[1.0, 2, 4], b=[1.0, 0, 4])
    with pytest.raises(
        TensorError, match="3 coefficients .a, b, intercept. need more than 3 trials"
    ):
        refuse_collinear(make_design(x, ["a", "b"]))


def test_correct_trials_alone_cannot_tell_choice_from_the_sign_of_the_stimulus():
    stimulus = np.tile([-2.0, -1.0, 1.0, 2.0], 78)
    choice = np.sign(stimulus)
    with pytest.raises(
        TensorError, match="'choice' follows from the sign of 'stimulus' on all 312"
    ):
        refuse_confounded(
            make_design(tensor(stimulus=stimulus, choice=choice), ["stimulus", "choice"])
        )
    choice[:4] *= -1
    refuse_confounded(make_design(tensor(stimulus=stimulus, choice=choice), ["stimulus", "choice"]))


def test_a_threshold_is_found_whichever_way_the_choice_is_coded():
    duration = np.tile([0.5, 0.6, 0.7, 0.8], 10)
    x = tensor(duration=duration, choice=np.where(duration > 0.65, "a_long", "b_short"))
    with pytest.raises(TensorError, match="follows from a threshold .0.6 or 0.7. of 'duration'"):
        refuse_confounded(make_design(x, ["choice", "duration"]))
