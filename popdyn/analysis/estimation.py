"""Whether distances between trajectories tell the stimulus as it was, or as it is perceived.

Two straight lines are compared, and then all that could bend one into the other: noise, another
scale, bent codes of the true stimulus.  The prior decides: it moves what is perceived alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.estimation_alternatives import bent_code_p, cross_validated_errors
from popdyn.analysis.estimation_errors import line, normalized_error
from popdyn.analysis.estimation_input import Question, read_question
from popdyn.analysis.estimation_noise import Array
from popdyn.analysis.estimation_result import (
    code_errors,
    errors_of,
    evidence_of,
    p_values_of,
    resampled_errors,
    shift_variables,
    with_units,
)
from popdyn.analysis.estimation_shift import prior_shift
from popdyn.analysis.estimation_verdict import POWER, Evidence, verdict_of
from popdyn.errors import TensorError, warn
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.tensor.result import make_result

_ALIKE = 0.999


def estimation_test(
    distance: xr.Dataset | Any,
    stimulus: Any = None,
    estimate: Any = None,
    *,
    sets: Any = None,
    covariance: Any = None,
    draws: Any = None,
    behavior: xr.Dataset | None = None,
    n_draws: int = 2000,
    n_repeats: int = 400,
    rng: Seed = 0,
) -> xr.Dataset:
    """Test whether distances follow the true stimulus or the estimate of an observer.

    Parameters
    ----------
    distance : Dataset or array (condition,)
        From `popdyn.relative_distance` or `popdyn.pool_distances`, with draws.  With
        ``by=[stimulus, set]`` two stimulus sets in one space, and the test between them comes
        first.  Or bare mean distances, which may rise or fall with the stimulus: an axis has no
        sign of its own.
    stimulus : array (condition,), optional
        The true stimuli; without it those of `distance`.
    estimate : Dataset, DataArray, array (condition,) or mapping
        What an observer fitted to *behavior* makes of each stimulus: ``observer.estimates(...)``,
        whose draws (from the same plan as those of the distances) count as uncertainty.  Of two
        sets a mapping, ``{set: estimates}``, or an array over all conditions.
    sets : array (condition,), optional
        Stimulus set of each condition, of bare distances.
    covariance, draws : array, optional
        Noise of bare distances: (condition, condition) if it is known, or bootstrap draws (draw,
        condition).
    behavior : Dataset, optional
        From `popdyn.contraction`: whether behavior contracts at all.
    n_draws : int, default 2000
        Data sets simulated under either hypothesis.
    n_repeats : int, default 400
        How often repeats are parted to cross-validate codes.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Returns
    -------
    Dataset
        Method ``"estimation_test"``, attributes ``verdict`` and ``reason``, see Notes.

        - ``rmse_true``, ``rmse_estimate``: errors of stimulus and of estimate, each regressed on
          distances, in their unit; biased in favor of the estimate
        - ``nrmse_true``, ``nrmse_estimate``: over the deviation of each, free of scale
        - ``reverse_rmse_true``, ``reverse_rmse_estimate``: of distances regressed on each
        - ``slope_true``, ``slope_estimate``: of distances, per unit of each
        - ``p_true``, ``p_estimate``: of each, by parametric bootstrap of the difference of the
          normalized errors; ``null_difference_true``, ``null_difference_estimate (draw)``
        - ``lack_of_fit_p_true``, ``lack_of_fit_p_estimate``; NaN with nothing left to test
        - ``power_true``, ``power_estimate``: of rejecting each at .05 if the other holds
        - ``alternative_error (alternative)``: cross-validated error of codes, in stimulus units;
          ``alternative_p``: of the bent code that fits best, against the estimate
        - ``condition_met (requirement)``: 1, 0, or NaN if it was not seen
        - ``decoded_true``, ``decoded_estimate (condition)``: values on the regression lines
        - with draws: ``draw_rmse_true``, ``draw_rmse_estimate (resample)`` (and ``draw_nrmse_``),
          ``rmse_difference_bound (bound)``, and ``resampled_p``, the share of draws in which the
          estimate is no better
        - with two sets: ``set_shift``, ``expected_set_shift (shared)``, ``shift_p_none``,
          ``shift_p_amount``, ``shift_power``, and ``shift_ratio``, ``shift_ratio_bound (bound)``,
          observed over expected

    Raises
    ------
    TensorError
        If arrays do not belong together, units differ, or there is no noise to test against.
    FitError
        With fewer than four stimuli, or all distances or estimates the same.

    Warns
    -----
    PopdynWarning
        "not testable", where the estimate is so straight in the stimulus that this noise hides
        the difference; with four stimuli; where conditions are left out.

    Notes
    -----
    Only curvature tells the hypotheses apart, and a code of the true stimulus that is bent for
    another reason (a logarithm, saturation, an arc) is curved too.  Verdicts:

    ``"estimate"`` takes four conditions: the true stimulus is rejected and the estimate is not
    (``rmse``); the estimate predicts left-out conditions and repeats better than every bent code,
    and the best of these is rejected at .05 (``alternatives``; not seen where it is better and not
    rejected); behavior contracts (``behavior``); and distances of the stimuli that two sets share
    shift as the estimate does (``shift``; not seen where a bent code and a constant offset between
    the sets, a cue, are not rejected).  ``"compatible with the estimate"``: none of them is
    violated, but not all could be seen.  ``"true"``: the estimate is rejected, the stimulus is not
    and fits.  ``"cannot be told apart"``: one of the powers is below .8, whatever the p values.
    ``"both fit"``: power, neither rejected, both fit.  ``"neither"``: the rest.

    Of a result of KiNeT not the chords are tested but ``mean_axis_distance``, which noise does not
    bend and a cue for the set does not move, unless along the very axis.  To test chords pass the
    bare arrays.

    Powers come from the noise and the slope of the distances alone, not from which of the two
    they are closer to.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> observer = pdn.observer.Production(weber=0.10, prior=("uniform", 0.5, 1.0))
    >>> estimate = observer.estimate(stimulus)
    >>> noise = np.random.default_rng(0).normal(0.0, 0.005, 11)
    >>> result = pdn.estimation_test(
    ...     3.0 * (estimate.values + noise), stimulus, estimate, covariance=0.015**2 * np.eye(11)
    ... )
    >>> bool(result.p_true < 0.05), bool(result.p_estimate < 0.05), result.attrs["verdict"]
    (True, False, 'compatible with the estimate')
    """
    if estimate is None:
        message = "estimate= is needed: what an observer fitted to behavior makes of each stimulus"
        raise TensorError(message)
    for name, number in (("n_draws", n_draws), ("n_repeats", n_repeats)):
        if not isinstance(number, (int, np.integer)) or number < 1:
            message = f"{name} is a whole number of at least 1, found {number!r}"
            raise TensorError(message)
    generator, seed = as_generator(rng)
    streams = spawn(generator, 4)
    asked = read_question(distance, stimulus, estimate, sets, covariance, draws)
    null = _null_differences(asked, n_draws, streams[0])
    shift = None
    if asked.sets is not None:
        shift = prior_shift(
            asked.stimulus, asked.estimate, asked.distance, asked.noise, asked.member, n_draws,
            streams[1],
        )  # fmt: skip
    data = (
        asked.stimulus, asked.estimate, asked.distance, asked.noise, asked.reference, asked.member
    )  # fmt: skip
    codes = cross_validated_errors(*data, n_repeats, streams[2])
    variables = errors_of(asked) | p_values_of(asked, null) | resampled_errors(asked)
    variables["alternative_p"] = bent_code_p(*data, n_draws, streams[3])
    found = evidence_of(variables, codes, behavior, shift)
    _warn_if_alike(asked, found)
    verdict, reason = verdict_of(found)
    variables |= code_errors(asked, codes) | shift_variables(shift)
    variables["condition_met"] = ("requirement", np.array(list(found.conditions.values())))
    result = make_result(
        variables,
        coords={
            "condition": asked.labels, "stimulus": ("condition", asked.stimulus),
            "requirement": np.array(list(found.conditions)), "bound": BOUND,
            "alternative": np.array(list(codes)),
            **({} if asked.sets is None else {"set": ("condition", asked.sets)}),
            **({} if shift is None else {"shared": shift.stimulus}),
        },
        method="estimation_test",
        parameters={"n_draws": n_draws, "n_repeats": n_repeats},
        source=distance if isinstance(distance, xr.Dataset) else None,
        seed=seed,
    )  # fmt: skip
    return with_units(result, asked).assign_attrs(verdict=verdict, reason=reason)


def _null_differences(
    asked: Question, n_draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Differences of normalized errors in data sets that follow the stimulus, or the estimate.

    Distances that follow the estimate follow what it is without its error: this is drawn around
    the estimate at hand, which stays as it is.
    """
    error_of_distance, error_of_estimate = asked.noise.sample(n_draws, rng)
    intercept, slope = line(asked.stimulus, asked.distance)
    drawn = intercept + slope * asked.stimulus + error_of_distance
    fitted = asked.estimate + error_of_estimate
    if_true = normalized_error(asked.stimulus, drawn) - normalized_error(fitted, drawn)
    intercept, slope = line(asked.estimate, asked.distance)
    drawn = intercept + slope * (asked.estimate - error_of_estimate) + error_of_distance
    if_estimate = normalized_error(asked.stimulus, drawn) - normalized_error(asked.estimate, drawn)
    return if_true, if_estimate


def _warn_if_alike(asked: Question, found: Evidence) -> None:
    """Say that estimate and stimulus are too much alike for this noise."""
    alike = abs(float(np.corrcoef(asked.stimulus, asked.estimate)[0, 1]))
    if alike > _ALIKE and min(found.power_true, found.power_estimate) < POWER:
        second = "" if asked.sets is not None else " or a second stimulus set"
        warn(
            f"not testable: estimate and stimulus correlate at {alike:.5f}, and the noise of the "
            "distances hides what is left between them (a prior of another shape, stronger noise "
            f"of the senses{second} would tell them apart)"
        )
