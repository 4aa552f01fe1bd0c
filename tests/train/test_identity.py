"""What a training is, in words that hold in another process; and where two of them differ."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import SourceError
from popdyn.train.identity import differences, is_own, own_task, rule_words, training_words

SINE = pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.2)
SHORT = {"n_trials": 4, "n_validation": 3}


class Mine:
    """A task of one's own whose trials say nothing of its parameters."""

    def __init__(self, hz=5, hidden=0.0, **more):
        self.hz, self._hidden = hz, hidden
        self.__dict__.update(more)

    def sample(self, n_trials, rng=0, *, dt=None):
        trials = SINE.sample(n_trials, rng, dt=dt)
        del trials.attrs["parameters"]
        return trials.assign(inputs=trials["inputs"] + self._hidden)

    def response(self, output, trials):
        return SINE.response(output, SINE.sample(trials.sizes["trial"], 0, dt=trials.attrs["dt"]))


def net():
    return pdn.network.Rate.random(20, g=1.2, tau=0.01, dt=0.001, rng=0)


@pytest.mark.parametrize("rule", [pdn.train.reservoir, pdn.train.force, pdn.train.full_force],
                         ids=["reservoir", "force", "full_force"])  # fmt: skip
def test_a_checkpoint_of_a_task_of_ones_own_is_not_that_of_another(tmp_path, rule):
    place = tmp_path / "run.npz"
    first, _ = rule(net(), Mine(2), **SHORT, checkpoint=place)
    with pytest.raises(SourceError, match=r"of another training .own task.attributes.hz: 2, now 3"):
        rule(net(), Mine(3), **SHORT, checkpoint=place)
    with pytest.raises(SourceError, match=r"of another training .own task.trials: \w+, now \w+."):
        rule(net(), Mine(2, hidden=1.0), **SHORT, checkpoint=place)
    again, _ = rule(net(), Mine(2), **SHORT, checkpoint=place)
    assert np.array_equal(again.output, first.output)


def test_attributes_are_told_by_what_they_hold():
    def told(**more):
        return own_task(Mine(**more), 0.001)

    def double(x):
        return 2 * x

    class Inner:
        def __init__(self, a):
            self.a, self._b = a, object()

    same = {
        "weights": np.arange(3.0), "table": {"a": (1, 2.0)}, "inner": Inner(3), "rule": double,
        "labelled": xr.DataArray([1.0, 2.0]), "target": net(), "names": {"b", "a"}, "none": None,
    }  # fmt: skip
    text = json.dumps(told(**same))
    assert text == json.dumps(told(**{**same, "inner": Inner(3), "target": net()}))
    assert " at 0x" not in text
    for change in ({"weights": np.arange(1, 4.0)}, {"table": {"a": (1, 3.0)}}, {"inner": Inner(4)},
                   {"rule": net}, {"labelled": xr.DataArray([1.0, 3.0])}, {"names": {"b"}},
                   {"none": 0}):  # fmt: skip
        assert json.dumps(told(**{**same, **change})) != text
    around = Mine()
    around.itself = around
    assert own_task(around, 0.001)["class"] == "Mine"


def test_tasks_of_popdyn_and_others_are_told_apart():
    class Changed(pdn.tasks.Oscillation):
        pass

    assert not is_own(SINE)
    assert is_own(Mine())
    assert is_own(Changed(sines=[(5, 1.0)]))
    words = json.loads(training_words(pdn.train.force, {"net": net(), "task": SINE, "rng": 3}))
    assert words["task"] == repr(SINE)
    assert (words["rule"], words["rng"]) == ("force", 3)


def test_a_task_of_ones_own_is_told_alike_in_another_process(tmp_path):
    (tmp_path / "mine.py").write_text(
        textwrap.dedent("""
        import popdyn as pdn
        from popdyn.train.identity import own_task
        class Mine:
            def __init__(self):
                self.names, self.make = {"a", "b", "c"}, lambda: 0
            def sample(self, n_trials, rng=0, *, dt=None):
                return pdn.tasks.Oscillation(sines=[(5, 1.0)]).sample(n_trials, rng, dt=dt)
        kept = [object() for _ in range(__import__("random").randrange(9999))]
        print(own_task(Mine(), 0.001))
    """)
    )
    said = [
        subprocess.run(
            [sys.executable, str(tmp_path / "mine.py")], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1]
    assert "Mine" in said[0]


def test_what_a_partial_rule_holds_is_part_of_it():
    force = pdn.train.force
    assert rule_words(force) == ("force", {})
    assert rule_words(partial(partial(force, update_every=3), update_every=4, rng=1)) == (
        "force", {"update_every": 4, "rng": 1},
    )  # fmt: skip
    assert rule_words(partial(force, 1))[0] != rule_words(partial(force, 2))[0]


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        ({"a": 1}, {"a": 1}, ""),
        ('{"a": 1, "b": 2}', {"b": 2, "a": 1}, ""),
        ({"a": float("nan")}, {"a": float("nan")}, ""),
        ({"a": 1}, {}, "a: 1, now none"),
        ({"a": '{"b": [1, {"c": 2}]}'}, {"a": '{"b": [1, {"c": 3}]}'},
         'a.b: [1, {"c": 2}], now [1, {"c": 3}]'),
        ({"a": "{text"}, {"a": "{other"}, "a: {text, now {other"),
        ({"a": "x" * 90 + "1"}, {"a": "x" * 90 + "2"},
         f"a: …{'x' * 30}1, now …{'x' * 30}2"),
        ({"a": "T(" + "p=0, " * 30 + "q=1)"}, {"a": "T(" + "p=0, " * 30 + "q=2)"},
         "a: …q=1), now …q=2)"),
        ({"a": repr(SINE)}, {"a": repr(replace(SINE, sines=[(5, 2.0)]))},
         "a: …sines=((5.0, 1.0),), oscillation_duration=0.2, pulse_amplitu…, "
         "now …sines=((5.0, 2.0),), oscillation_duration=0.2, pulse_amplitu…"),
        ({"a": "long" * 30}, {"a": "long" * 30 + "er"},
         f"a: …{('long' * 30)[-30:]}, now …{('long' * 30)[-30:]}er"),
        ({str(n): n for n in range(6)}, {}, "0: 0, now none; 1: 1, now none; 2: 2, now none; "
         "3: 3, now none; and 2 more"),
    ],
    ids=["equal", "order", "nan", "missing", "nested", "text", "long", "call", "task", "end", "many"],
)  # fmt: skip
def test_differences_are_said_where_they_are(found, wanted, said):
    assert differences(found, wanted) == said
