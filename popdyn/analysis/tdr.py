"""Along which directions a population encodes each task variable (TDR).

Mante, Sussillo, Shenoy and Newsome (2013, Nature 503:78): regression coefficients of every neuron
become one axis per variable, denoised in the state space of the condition averages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from popdyn.analysis.design import Design
from popdyn.analysis.least_squares import Fit, fit_least_squares
from popdyn.analysis.stored_estimator import check_fitted, not_yet_restored
from popdyn.analysis.tdr_axes import Windows, axis_names, denoised, windows_of
from popdyn.analysis.tdr_describe import (
    Axes,
    Components,
    check_options,
    described_angles,
    described_axes,
    described_components,
    described_test,
    find_axes,
    find_components,
    of_regressors,
)
from popdyn.analysis.tdr_permutation import population_test
from popdyn.analysis.tdr_projections import ONE, described_conditions, project
from popdyn.analysis.tdr_samples import By, Index, Prepared, prepare, warn_few_trials
from popdyn.analysis.tdr_splits import average_samples, split_trials
from popdyn.analysis.undetermined import refuse_undetermined
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.tensor.contract import bin_width_of
from popdyn.tensor.result import make_result

# Arguments of the constructor that a stored result keeps.
_STORED = (
    "regressors", "by", "axes", "at", "n_components", "smooth", "n_splits", "n_draws", "roles",
    "levels",
)  # fmt: skip


class TDR(BaseEstimator):  # type: ignore[no-untyped-call]
    """Targeted dimensionality reduction: an axis of the state space for each task variable.

    Parameters
    ----------
    regressors : str or list of str
        Trial columns, interactions (``"choice:context"``) or a formula, as for
        `popdyn.encoding`.  Each is divided by its largest absolute value.
    by : str, list of str, or list of lists of str, optional
        Columns that define the conditions whose averages span the state space; several lists
        are several groupings, pooled (Mante et al. average over motion, choice and context, and
        over color, choice and context).  By default all columns of the regressors together
        (but not the trial's number).
    axes : list of str, optional
        Regressors that get an axis, in the order in which they are made orthogonal: the first
        keeps its direction.  By default all but interactions, in their order.
    at : "max_norm" or dict of str to (float, float)
        Which bins make the axis of a regressor: the one where its coefficients are largest over
        neurons, or all in a window (s from the alignment event).
    n_components : int, None or "cv"
        Principal components of the condition averages in which coefficients are denoised (12 in
        the paper); None does not denoise; ``"cv"`` takes, for each regressor, the number (at
        least that of the axes), or none, that brings its axis closest to the coefficients of
        held-out halves of the trials.
    smooth : float
        Standard deviation (s) of the Gaussian that trials are smoothed with, and so coefficients
        and averages; 0 for none.  It changes next to nothing in bins of more than
        twice this width.
    n_splits : int
        Random halves of the trials, for ``"cv"`` and for how far axes repeat themselves.
    n_draws : int
        Permutations, pairs of random axes, and draws of the bootstrap.
    rng : int or numpy.random.Generator
        Seed or generator.
    roles, levels : mapping, optional
        As for `popdyn.encoding`.

    Attributes
    ----------
    coefficient_ : DataArray (regressor, neuron, time)
        Of standardized activity (1); NaN where the trials do not determine them.
    raw_axes_ : DataArray (regressor, neuron)
        Denoised coefficients at the chosen bins, of length 1.
    axes_ : DataArray (regressor, neuron)
        The same made orthonormal in their order.
    mean_, scale_ : DataArray (neuron)
        Mean and standard deviation over bins and trials, by which activity is standardized.
    n_components_ : DataArray (regressor)
        Number of components used; 0 for no denoising.
    result_ : Dataset
        What `to_dataset` gives.

    Notes
    -----
    Neurons may miss trials or be recorded apart: each is regressed on its own trials.  An average
    counts where every neuron has one.  Neurons that never vary are left out with a warning.

    *Significance* (`strength`, `p`): what is left of a regressor after the others is permuted over
    trials, for all neurons together; largest strength over time.  *Repeatability*
    (`half_split_cosine`): the cosine between a regressor's axes of two halves of the trials, each
    made as that of all trials is.  *Angles*: `cosine` between raw axes is biased where regressors
    are correlated, as the errors of their coefficients are; `cross_cosine` is between axes of
    different halves, and `cosine_p` compares its size with that of random contrasts of averages,
    the two axes of a pair from different halves of the window (`cosine_null`).  Noise makes cross
    cosines small and the axes themselves are part of the averages, so that the test errs on the
    safe side.

    Bounds of projections come from a bootstrap of the trials along the axes as they are.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> choice, motion = rng.choice([-1.0, 1.0], 200), rng.choice([-0.5, -0.1, 0.1, 0.5], 200)
    >>> axes = rng.normal(size=(2, 30, 1, 1))
    >>> x = axes[0] * choice + axes[1] * motion + rng.normal(size=(30, 10, 200))
    >>> trials = {"choice": choice, "motion": motion}
    >>> tensor = pdn.make_tensor(20 + x, 0.05 * np.arange(10), trials=trials)
    >>> tdr = pdn.TDR(["choice", "motion"], smooth=0, n_splits=2, n_draws=99).fit(tensor)
    >>> dict(tdr.transform(tensor).sizes)
    {'regressor': 2, 'time': 10, 'trial': 200}
    """

    coefficient_: xr.DataArray
    raw_axes_: xr.DataArray
    axes_: xr.DataArray
    mean_: xr.DataArray
    scale_: xr.DataArray
    n_components_: xr.DataArray
    result_: xr.Dataset

    def __init__(
        self,
        regressors: str | Sequence[str],
        *,
        by: By | None = None,
        axes: Sequence[str] | None = None,
        at: str | Windows = "max_norm",
        n_components: int | str | None = "cv",
        smooth: float = 0.040,
        n_splits: int = 10,
        n_draws: int = 500,
        rng: Seed = 0,
        roles: Mapping[str, Any] | None = None,
        levels: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        self.regressors = regressors
        self.by = by
        self.axes = axes
        self.at = at
        self.n_components = n_components
        self.smooth = smooth
        self.n_splits = n_splits
        self.n_draws = n_draws
        self.rng = rng
        self.roles = roles
        self.levels = levels

    def fit(self, x: xr.DataArray, y: None = None) -> TDR:  # noqa: ARG002
        """Find the axes.

        Parameters
        ----------
        x : DataArray (neuron, time, trial)
            A tensor; counts are turned into rates.
        y : None
            Not used; there because scikit-learn's manners have it.

        Returns
        -------
        TDR
            Itself.

        Raises
        ------
        TensorError
            If `x` is no tensor, a regressor is unknown, or the regressors cannot be told apart on
            these trials.
        FitError
            If neurons have no coefficients in common bins, or there is no state space to denoise
            in.

        Warns
        -----
        PopdynWarning
            When neurons never vary, or when coefficients are denoised in averages of conditions
            that have fewer than 10 trials on average.
        """
        check_options(self.n_components, self.n_splits, self.n_draws)
        # Products of many small blocks: threads of the BLAS would mostly wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            self.result_ = self._fitted(x)
        self._learn()
        return self

    def _fitted(self, x: xr.DataArray) -> xr.Dataset:
        """Find the axes, and say how sure they are."""
        generator, seed = as_generator(self.rng)
        ready = prepare(
            x, self.regressors, self.by, sigma=self.smooth, roles=self.roles, levels=self.levels
        )
        if self.n_components is not None:
            warn_few_trials(ready.groups)
        known = list(ready.design.names[:-1])
        names = axis_names(known, self.axes)
        chosen = np.array([known.index(name) for name in names])
        rngs = spawn(generator, 4)
        values, design = ready.scores.values, ready.design
        components, found, fit, inside = self._find(ready, names, chosen, rngs[0])
        axes = xr.DataArray(
            found.orthonormal,
            {"regressor": np.array(names), "neuron": ready.scores["neuron"].to_numpy()},
        )
        samples, bins = average_samples(values, ready.groups[0])
        averages, conditions = described_conditions(
            ready.scores, ready.columns[0], axes, self.n_draws, rngs[3]
        )
        time = ready.scores["time"].to_numpy()
        over = ("all_regressor", "neuron", "time")
        variables = {
            "coefficient": (over, fit.coefficient, ONE),
            "standard_error": (over, fit.standard_error, ONE),
            "mean": ("neuron", ready.mean, {"units": ready.units}),
            "scale": ("neuron", ready.scale, {"units": ready.units}),
            **described_components(components),
            **described_axes(found, inside, samples, bin_width_of(ready.scores), time),
            **described_angles(found, samples, bins, self.n_draws, rngs[2]),
            **described_test(population_test(values, design, self.n_draws, rngs[1])),
            **averages,
        }
        return make_result(
            variables,
            coords=conditions
            | dict(axes.coords)
            | _coords(design, time, components)
            | {"regressor_2": np.array(names)},
            method="tdr",
            parameters={name: getattr(self, name) for name in _STORED},
            source=x,
            seed=seed,
        ).assign_attrs(
            popdyn_class="analysis.tdr:TDR",
            by=json.dumps(ready.columns[0]),
            activity_units=ready.units,
        )

    def transform(self, x: xr.DataArray | xr.Dataset) -> xr.DataArray:
        """Project trials or condition averages on the axes.

        Parameters
        ----------
        x : DataArray or Dataset
            A tensor or a condition average with all neurons of the fit, in any order; it is
            smoothed here as the fit smoothed its trials (``smooth``).

        Returns
        -------
        DataArray (regressor, time, trial or condition)
            Standardized activity along each axis (1); NaN where a neuron is.

        Raises
        ------
        TensorError
            If neurons are missing, the unit is another one than that of the fit, or there is
            nothing that tells the bin width.
        FitError
            If `fit` has not been called.
        """
        check_fitted(self, "a tensor")
        return project(x, self.axes_, self.result_)

    def to_dataset(self) -> xr.Dataset:
        """Give everything that was learnt, as a result.

        Returns
        -------
        Dataset
            Method ``"tdr"``.

        Raises
        ------
        FitError
            If `fit` has not been called.
        """
        check_fitted(self, "a tensor")
        return self.result_

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> TDR:
        """Make the fitted estimator from what `to_dataset` gave.

        Parameters
        ----------
        dataset : Dataset
            From `to_dataset`, perhaps through a file.

        Returns
        -------
        TDR
            Ready to transform.

        Raises
        ------
        TensorError
            If it is not such a result.
        """
        self = not_yet_restored(cls, dataset, "tdr")
        self.result_ = dataset
        self._learn()
        return self

    def _find(
        self, ready: Prepared, names: list[str], chosen: Index, rng: np.random.Generator
    ) -> tuple[Components, Axes, Fit, NDArray[np.float64]]:
        """Regress, denoise and make the axes; the denoised coefficients come last."""
        values, design, groups = ready.scores.values, ready.design, ready.groups
        time = ready.scores["time"].to_numpy()
        windows = windows_of(self.at, names, time)
        fit = fit_least_squares(values, design)
        refuse_undetermined(ready.scores, design, fit.coefficient)
        denoise = self.n_components is not None
        pairs = split_trials(values, design, groups, self.n_splits, rng, with_components=denoise)
        pairs = of_regressors(pairs, chosen)
        components = find_components(values, groups, pairs, windows, self.n_components)
        inside = denoised(fit.coefficient[chosen], components.axes, components.numbers)
        found = find_axes(inside, names, time, self.at, pairs, components.numbers)
        return components, found, fit, inside

    def _learn(self) -> None:
        """Set what was learnt from the result."""
        found = self.result_
        self.n_components_ = found["n_components"]
        self.coefficient_ = found["coefficient"].rename(all_regressor="regressor")
        self.raw_axes_, self.axes_ = found["raw_axes"], found["axes"]
        self.mean_, self.scale_ = found["mean"], found["scale"]


def _coords(design: Design, time: NDArray[Any], components: Components) -> dict[str, Any]:
    """Coordinates of a result beside those of the axes and the conditions."""
    names = np.array(design.names)
    coords: dict[str, Any] = {
        "all_regressor": names,
        "term": np.array(design.terms),
        "time": ("time", time, {"units": "s"}),
        "edge": np.array(["start", "stop"]),
        "bound": BOUND,
    }
    if components.score is not None:
        coords["candidate"] = np.append(np.arange(1, components.score.shape[1]), 0)
    return coords
