"""Bingham's test by its variants: published numbers, and clouds made round by their covariance."""

import numpy as np
import pytest

import popdyn as pdn


@pytest.mark.parametrize(
    ("seed", "statistic", "p"),
    [
        (0, 9.263832279207588, 0.41328534643335733),
        (1, 16.02129442544243, 0.06643823393704352),
    ],
)
def test_half_along_the_axes_of_the_other_equals_the_published_code(seed, statistic, p):
    """`bingham_aligned` of adrian-valente/populations_paper_code, given the same draw of half."""
    vectors = np.random.default_rng(5).normal(size=(120, 4)) * [3, 1, 1, 2]
    result = pdn.selectivity_test(vectors, "bingham", "dubreuil2022_aligned", rng=seed)
    assert float(result["statistic"]) == pytest.approx(statistic, rel=1e-10)
    assert float(result["p"]) == pytest.approx(p, rel=1e-10)
    assert 60 <= result.attrs["n_directions"] <= 90


def test_made_round_by_its_covariance_a_long_cloud_is_alike_in_all_directions():
    rng = np.random.default_rng(1)
    longer = rng.normal(size=(200, 3)) * [4.0, 1.0, 1.0]
    plain = pdn.selectivity_test(longer, "bingham", n_draws=199)
    made_round = pdn.selectivity_test(longer, "bingham", "covariance", n_draws=199)
    assert float(plain["p"]) == pytest.approx(1 / 200)
    assert float(made_round["p"]) > 0.1
    turned = longer @ np.linalg.qr(rng.normal(size=(3, 3)))[0] * 5.0 + 7.0
    again = pdn.selectivity_test(turned, "bingham", "covariance", n_draws=199)
    assert float(again["statistic"]) == pytest.approx(float(made_round["statistic"]), rel=1e-9)


def test_p_of_clouds_made_round_are_even():
    generators = np.random.default_rng(2).spawn(60)
    p = [
        float(
            pdn.selectivity_test(rng.normal(size=(50, 3)), "bingham", "covariance", n_draws=99)["p"]
        )
        for rng in generators
    ]
    assert 0.35 < np.mean(p) < 0.65
    assert np.min(p) < 0.2


def test_units_make_no_difference_to_directions():
    values = np.random.default_rng(4).normal(size=(40, 3))
    small, plain = (
        pdn.selectivity_test(x, "bingham", n_draws=9) for x in (values * 1e-250, values)
    )
    assert float(small["statistic"]) == pytest.approx(float(plain["statistic"]), rel=1e-9)
