"""Names of populations and durations of networks that learn: what no longer holds is said once."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest

from popdyn.errors import FitError, PopdynWarning
from popdyn.train import full_force
from popdyn.train.signs import honest_populations
from tests.train.test_full_force import SHORT, SINE, net_of


def test_names_of_populations_go_where_learning_breaks_their_signs():
    with pytest.warns(PopdynWarning, match=r"both signs to \d+ of 40 neurons .*no population"):
        trained, _ = full_force(net_of(excitatory=0.8), SINE, **SHORT)
    assert trained.population is None


def test_names_of_populations_that_are_still_true_stay():
    net = net_of(excitatory=0.8)
    assert honest_populations(net, net) is net
    others = dataclasses.replace(net, population=np.repeat(["a", "b"], 20))
    trained = dataclasses.replace(others, recurrent=-others.recurrent)
    assert honest_populations(trained, others).population is not None


def test_durations_that_look_like_milliseconds_are_said_once():
    net_of(tau=0.01)
    with pytest.warns(PopdynWarning) as said:
        net = net_of(tau=10.0)
        with contextlib.suppress(FitError):
            full_force(net, SINE, **SHORT, hint_filter=40.0)
    texts = [str(one.message).split(":")[0] for one in said]
    assert texts == ["tau=10", "hint_filter=40"]
