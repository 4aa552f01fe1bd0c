"""Pictures of behavior and observers show the numbers of their results."""

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError


@pytest.fixture(scope="module")
def fitted():
    shown = np.random.default_rng(0).choice([0.5, 0.7, 0.9], 600)
    truth = pdn.observer.Production(weber=0.12, motor_weber=0.06, prior=shown)
    done = truth.simulate({"stimulus": shown}, rng=0)
    plan = pdn.bootstrap(done, "stimulus", n_draws=5)
    observer = pdn.observer.Production(free=["weber", "motor_weber"]).fit(done, resample=plan)
    return done, observer


def test_a_production_observer_is_drawn_with_what_was_done(fitted):
    done, observer = fitted
    ax = pdn.show(observer)
    result = observer.to_dataset()
    drawn = [line.get_ydata() for line in ax.get_lines()]
    for name in ("mean_response", "predicted_response", "estimate"):
        assert any(
            len(y) == 3 and np.allclose(np.asarray(y, dtype=float), result[name]) for y in drawn
        ), name
    mean = done.groupby("stimulus")["response"].mean()
    assert np.allclose(result["mean_response"], mean)


def test_estimates_are_drawn_with_their_interval(fitted):
    ax = pdn.show(fitted[1].estimates([0.5, 0.7, 0.9]))
    assert len(ax.collections) == 1
    assert np.allclose(ax.get_lines()[1].get_ydata(), fitted[1].estimate([0.5, 0.7, 0.9]))


def test_a_discrimination_observer_is_drawn_by_first_stimulus():
    rng = np.random.default_rng(0)
    first, difference = rng.choice([10.0, 20.0], 400), rng.choice([-4.0, -2.0, 2.0, 4.0], 400)
    truth = pdn.observer.Discrimination(sigma=3.0, prior=first)
    done = truth.simulate({"stimulus": first, "stimulus_2": first + difference}, rng=0)
    observer = pdn.observer.Discrimination(sigma=2.0, free=["sigma"]).fit(done)
    ax = pdn.show(observer)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["10", "20"]
    assert ax.get_lines()[0].get_xdata().tolist() == [-4, -2, 2, 4]


def test_comparisons_leave_out_the_first_observer(fitted):
    found = pdn.observer.compare_observers(fitted[0], n_folds=2)
    labels = [text.get_text() for text in pdn.show(found).get_yticklabels()]
    assert labels == ["unbiased", "linear"]


def test_behavior_is_shown_by_its_method(fitted):
    done = fitted[0]
    assert pdn.show(pdn.contraction(done, n_draws=5)).get_xlabel() == "stimulus"
    assert pdn.show(pdn.serial_dependence(done, n_draws=5)).get_xlabel() == "trials before"
    found = pdn.detection([1, 1, 0, 0] * 9, [1, 0, 0, 1] * 9, onset=[1.0, 2.0, np.nan, np.nan] * 9,
                          bins=2, n_draws=5)  # fmt: skip
    assert pdn.show(found).get_xlabel() == "onset of the stimulus (s)"


def test_other_results_are_refused(fitted):
    with pytest.raises(TensorError, match="plot.psychometric draws"):
        pdn.plot.psychometric(fitted[1].to_dataset())


def test_an_observer_that_was_not_fitted_is_sent_to_its_fit():
    with pytest.raises(pdn.PopdynError, match=r"was not fitted: fit\(trials\) it"):
        pdn.show(pdn.observer.Production(weber=0.1, prior=[0.5, 0.6]))


def test_the_line_of_no_contraction_is_above_those_it_may_coincide_with():
    stimulus = np.repeat([0.5, 0.6, 0.7, 0.8], 20)
    exact = pdn.observer.Production(weber=0.01, motor_weber=0.05, prior=("uniform", 0.5, 0.8))
    exact.set_params(weber=0.01, free=["motor_weber"])
    ax = pdn.plot.production_observer(exact.fit(exact.simulate({"stimulus": stimulus}, rng=0)))
    assert ax.lines[0].get_zorder() > max(line.get_zorder() for line in ax.lines[1:])
