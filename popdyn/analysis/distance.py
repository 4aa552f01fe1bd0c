"""How far apart are the trajectories of different conditions, and on which side.

By default KiNeT (Remington et al. 2018, Neuron 98:1005): conditions are ordered by a number, and
each state of the middle one is compared with the nearest state of every other.  Or the plain
distance at the same time, with a test, see `popdyn.analysis.distance_euclidean`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import xarray as xr

from popdyn.analysis.distance_euclidean import euclidean_distance
from popdyn.analysis.kinet_distance import MEASURES, Measure
from popdyn.analysis.kinet_result import Settings, ordered_distance
from popdyn.errors import TensorError
from popdyn.resample import ResamplePlan, Seed

_METHODS = (*MEASURES, "euclidean")


def relative_distance(
    x: xr.DataArray | xr.Dataset,
    by: str | Sequence[str] | None = None,
    *,
    method: Measure | Literal["euclidean"] = "kinet",
    reference: Any = None,
    smooth: float | None = 0.040,
    n_components: int | str | None = "90%",
    resample: ResamplePlan | None = None,
    n_draws: int = 500,
    rng: Seed = 0,
    alignment: Literal["nearest", "monotone", "time"] = "nearest",
    reach: float | None = None,
    sign: Literal["direction", "axis"] = "direction",
    mean_over: tuple[float, float] | None = None,
    unit: Literal["trial", "neuron"] = "trial",
    draw_components: Literal["fixed", "refit"] = "fixed",
    n_splits: int = 5,
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Signed distance of every condition's trajectory to that of a reference condition.

    Parameters
    ----------
    x : DataArray or Dataset
        A tensor (neuron, time, trial); spike counts are turned into rates (Hz).  Or a condition
        average: then there are no bounds and no cross-validated distances.
    by : str or list of str
        Trial columns that define the conditions; needed for a tensor.  The first orders the
        conditions and must hold numbers, the stimulus; a second one (a context, a stimulus set)
        puts several sets of conditions in one space with one reference.
    method : {"kinet", "arc_length", "coding_axis", "euclidean"}
        What is measured between states that belong together: the signed distance (KiNeT); the
        length of the line through the conditions; or the difference along the axis on which the
        conditions of the reference's set lie best, in all neurons.  ``"euclidean"``: the unsigned
        distance at the same time, with a permutation test, see Notes.
    reference : str or number, optional
        Label of the reference condition, or its stimulus.  Default: the middle one (of an even
        number the upper).
    smooth : float or None, default 0.040
        Standard deviation (s) of the Gaussian the trials are smoothed with, raised to two bins.
    n_components : int, str or None, default "90%"
        Distance in that many principal components of the averages, or as many as hold that
        share of their variance; None: in all neurons.
    resample : ResamplePlan, optional
        Bootstrap draws of trials from `popdyn.bootstrap`, to be shared with other analyses.
    n_draws : int, default 500
        Number of bootstrap draws (without ``resample``); 0 for none.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.
    alignment : {"nearest", "monotone", "time"}, default "nearest"
        Which state of a condition belongs to a state of the reference: the nearest, that on the
        path of least summed squared distance which never goes back in time, or that at the same
        time.
    reach : float, optional
        Farthest a matched state may be in time (s), for orbits that cross themselves.
    sign : {"direction", "axis"}, default "direction"
        Side of the reference: as the authors, that of the end of the row whose direction is
        closer (five conditions at least); or along the line from the first to the last.
    mean_over : (float, float), optional
        Reference times ``[start, stop)`` (s) over which means go.  Default: all.
    unit : {"trial", "neuron"}, default "trial"
        What is drawn again, and so what the bounds speak of.  For networks or sessions see
        `popdyn.pool_distances`.
    draw_components : {"fixed", "refit"}, default "fixed"
        Whether draws of trials use the components of all trials, or find as many of their own.
    n_splits : int, default 5
        Random splits behind the cross-validated distances; 0 for none.
    n_jobs : int, optional
        Draws at once, on threads (joblib); results do not depend on it.

    Returns
    -------
    Dataset
        Distances in the units of the rate times sqrt(neurons); ``time`` is that of the reference:

        - ``distance (time, condition)``: negative on the side of the lowest stimulus
        - ``matched_time (time, condition)``: when the condition was there (s);
          ``saturated``: at its first or last time, though the reference is not
        - ``speed (condition)``: over that of the reference, from the slope of matched times
        - ``angle (time)``: between steps from condition to condition (rad), 0 on a line;
          ``rotation``: of the mean step against the first time (rad); ``similarity``: of the
          scatter of the conditions with that at the first time, 1 the same
        - ``mean_distance (condition)``, ``saturated_share``
        - with KiNeT, ``mean_axis_distance (condition)``: at the same matched states, along the
          axis of ``"coding_axis"``, see Notes
        - ``cross_validated_distance (time, condition)``, ``mean_cross_validated_distance``:
          without the noise, see Notes
        - ``expected_inflation (condition)``: share by which noise makes the distance too large
        - ``draw_mean_distance (draw, condition)``, ``mean_distance_bound (bound, condition)``;
          also of ``mean_axis_distance`` and ``speed``
        - ``trajectory (component, time, condition)``: up to three components, for drawing

        Coordinates ``condition`` (labels) and ``stimulus (condition)``; attributes ``reference``,
        ``distance_method``, ``unit_of_inference``, ``smooth``, ``n_neurons``, ``n_components``.

    Raises
    ------
    TensorError
        Unknown option or column; conditions without an order; milliseconds declared as seconds.
    FitError
        One stimulus value; fewer than five conditions, or a reference at the end, with
        ``sign="direction"``; a condition with one trial in a bootstrap.

    Warns
    -----
    PopdynWarning
        Without smoothing; where noise makes a distance more than 10 % too large; where more
        than 10 % of the matches are at an end of the trajectory.

    Notes
    -----
    NaN: a condition's trajectory exists where every neuron was observed in two trials and in half
    of the condition's trials; conditions may differ in length.  Where both ends of the row lie
    exactly on the reference there are no sides, and the distance is NaN.

    A chord holds all in which states differ: noise, which lengthens it most next to the reference,
    and with two stimulus sets the cue that tells them apart.  ``mean_axis_distance`` holds neither,
    unless the cue moves states along the very axis.  `popdyn.estimation_test`,
    `popdyn.decode_then_compare` and `popdyn.distance_shift` take it where it is there.

    Noise makes distances too large, also of nearest states.  The cross-validated distance finds
    states and components in one third of the trials and multiplies the differences of the other
    two; its mean is the root of the mean square, signed.  Matching noisy states adds to the
    distance what it misses along the trajectory, which no product removes.

    Bounds (95 %) reach as far below the estimate as draws go above it, and the other way round,
    because draws are noisier than the data.  ``draw_mean_distance`` holds the draws as they are.

    ``method="euclidean"`` returns other variables, `popdyn.analysis.distance_euclidean` describes
    them; ``alignment``, ``reach``, ``sign``, ``mean_over``, ``unit``, ``draw_components`` and
    ``n_splits`` do not apply to it.

    References
    ----------
    Remington, Narain, Hosseini and Jazayeri (2018), Neuron 98:1005.  Garcia (2012), BMC Evol.
    Biol. 12:222.

    Examples
    --------
    Eleven orbits on a cylinder, slower for longer stimuli:

    >>> import numpy as np
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> stimulus, time = 0.5 + 0.05 * np.arange(11), 0.01 * np.arange(100)
    >>> phase = 1.2 * np.pi * time[:, None] / stimulus
    >>> height = np.broadcast_to(4.0 * (stimulus - 0.75), phase.shape)
    >>> orbits = np.where(time[:, None] < stimulus, [np.cos(phase), np.sin(phase), height], np.nan)
    >>> average = xr.DataArray(
    ...     orbits, dims=("neuron", "time", "condition"),
    ...     coords={"time": time, "stimulus": ("condition", stimulus)},
    ... )
    >>> result = pdn.relative_distance(average, smooth=None, n_components=None)
    >>> print(result.mean_distance.values[[0, 2, 5, 10]].round(2) + 0.0)
    [-1.  -0.6  0.   1. ]
    >>> print(result.speed.values[[0, 5, 10]].round(2))
    [1.5  1.   0.75]
    """
    if method not in _METHODS:
        message = f"no distance method {method!r}; there is {', '.join(map(repr, _METHODS))}"
        raise TensorError(message)
    if method == "euclidean":
        return euclidean_distance(
            x, by, reference=reference, smooth=smooth, n_components=n_components,
            resample=resample, n_draws=n_draws, rng=rng,
        )  # fmt: skip
    settings = Settings(
        by=by, method=method, reference=reference, smooth=smooth, n_components=n_components,
        n_draws=n_draws if resample is None else len(resample), alignment=alignment, reach=reach,
        sign=sign, mean_over=mean_over, unit=unit, draw_components=draw_components,
        n_splits=n_splits,
    )  # fmt: skip
    return ordered_distance(x, settings, resample, rng, n_jobs)
