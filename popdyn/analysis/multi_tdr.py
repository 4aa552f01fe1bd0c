"""In which subspace a population encodes each task variable: several axes per variable.

The multi-dimensional form of targeted dimensionality reduction (Aoi, Mante and Pillow 2020,
Nature Neuroscience 23:1410), with ranks chosen by held-out halves of the trials.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from popdyn.analysis.least_squares import fit_least_squares
from popdyn.analysis.multi_tdr_subspaces import Subspaces, find_subspaces
from popdyn.analysis.stored_estimator import check_fitted, not_yet_restored
from popdyn.analysis.tdr_describe import check_options, described_test, share_along
from popdyn.analysis.tdr_permutation import population_test
from popdyn.analysis.tdr_projections import ONE, described_conditions, project
from popdyn.analysis.tdr_samples import By, Prepared, prepare
from popdyn.analysis.tdr_splits import average_samples
from popdyn.analysis.undetermined import refuse_undetermined
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.tensor.result import make_result

# Arguments of the constructor that a stored result keeps.
_STORED = (
    "regressors", "by", "axes", "n_ranks", "smooth", "n_splits", "n_draws", "roles", "levels",
)  # fmt: skip


class MultiTDR(BaseEstimator):  # type: ignore[no-untyped-call]
    """Targeted dimensionality reduction with a subspace of its own rank for each task variable.

    Parameters
    ----------
    regressors : str or list of str
        Trial columns, interactions (``"choice:context"``) or a formula, as for
        `popdyn.encoding`.  Each is divided by its largest absolute value.
    by : str, list of str, or list of lists of str, optional
        Columns that define the conditions whose averages are projected.  By default all columns
        of the regressors together (but not the trial's number).
    axes : list of str, optional
        Regressors that get axes, in the order in which they are made orthogonal: those of the
        first keep their directions.  By default all but interactions.
    n_ranks : "cv", int, or dict of str to int
        Number of axes of every regressor, or of some; ``"cv"`` takes the rank whose approximation
        of one half's coefficients comes closest to those of the other half by their cosine, or a
        smaller one that is not worse by more than the spread over splits; 0 for a regressor that
        the permutation does not find (``p_any`` above 0.05, which takes at least 19 draws).
    smooth : float
        Standard deviation (s) of the Gaussian that trials are smoothed with; 0 for none.  It
        changes next to nothing in bins of more than twice this width.
    n_splits : int
        Random halves of the trials.
    n_draws : int
        Permutations, and draws of the bootstrap.
    rng : int or numpy.random.Generator
        Seed or generator.
    roles, levels : mapping, optional
        As for `popdyn.encoding`.

    Attributes
    ----------
    coefficient_ : DataArray (regressor, neuron, time)
        Of standardized activity (1); NaN where the trials do not determine them.
    raw_axes_ : DataArray (axis, neuron)
        Singular vectors of each regressor's coefficients, orthonormal within the regressor; the
        coordinate ``regressor`` says whose they are.
    axes_ : DataArray (axis, neuron)
        The same made orthonormal throughout in their order.
    n_ranks_ : DataArray (term)
        Number of axes of each regressor.
    mean_, scale_ : DataArray (neuron)
        Mean and standard deviation over bins and trials, by which activity is standardized.
    result_ : Dataset
        What `to_dataset` gives.

    Notes
    -----
    A regressor with several columns (three levels) has one subspace, of the coefficients of all
    its columns.  `coefficient_share` is the share of a regressor's squared coefficients along
    each raw axis, noise included; `held_out_cosine` the cosine between the approximation of one
    half's coefficients and those of the other half.  `half_split_cosine` holds the cosines of the
    principal angles between a regressor's subspaces of two halves.  `time_course` gives the
    coefficients of all regressors along each raw axis.  Ranks come from half of the trials, so
    that all of them may support more.  `strength` and `p` are those of `TDR`.

    Bins in which some neuron has no coefficient take no part in the axes.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> motion, time = rng.choice([-1.0, -0.5, 0.5, 1.0], 200), np.arange(20)
    >>> axes = rng.normal(size=(2, 30, 1, 1))
    >>> early, late = (np.exp(-(((time - at) / 4) ** 2))[:, None] for at in (5, 14))
    >>> x = (axes[0] * early + axes[1] * late) * motion + rng.normal(size=(30, 20, 200))
    >>> tensor = pdn.make_tensor(30 + x, 0.05 * time, trials={"motion": motion})
    >>> tdr = pdn.MultiTDR("motion", smooth=0, n_splits=5, n_draws=99).fit(tensor)
    >>> tdr.axes_["axis"].values.tolist()
    ['motion 1', 'motion 2']
    """

    coefficient_: xr.DataArray
    raw_axes_: xr.DataArray
    axes_: xr.DataArray
    n_ranks_: xr.DataArray
    mean_: xr.DataArray
    scale_: xr.DataArray
    result_: xr.Dataset

    def __init__(
        self,
        regressors: str | Sequence[str],
        *,
        by: By | None = None,
        axes: Sequence[str] | None = None,
        n_ranks: int | str | Mapping[str, int] = "cv",
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
        self.n_ranks = n_ranks
        self.smooth = smooth
        self.n_splits = n_splits
        self.n_draws = n_draws
        self.rng = rng
        self.roles = roles
        self.levels = levels

    def fit(self, x: xr.DataArray, y: None = None) -> MultiTDR:  # noqa: ARG002
        """Find the ranks and the axes.

        Parameters
        ----------
        x : DataArray (neuron, time, trial)
            A tensor; counts are turned into rates.
        y : None
            Not used; there because scikit-learn's manners have it.

        Returns
        -------
        MultiTDR
            Itself.

        Raises
        ------
        TensorError
            If `x` is no tensor, a regressor is unknown, the regressors cannot be told apart on
            these trials, or ranks are out of range.
        FitError
            If no regressor has an axis, or neurons have no coefficients in common bins.

        Warns
        -----
        PopdynWarning
            When neurons never vary.
        """
        check_options(None, self.n_splits, self.n_draws)
        # Products of many small blocks: threads of the BLAS would mostly wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            self.result_ = self._fitted(x)
        self._learn()
        return self

    def _fitted(self, x: xr.DataArray) -> xr.Dataset:
        """Find the ranks and the axes, and say how sure they are."""
        generator, seed = as_generator(self.rng)
        ready = prepare(
            x, self.regressors, self.by, sigma=self.smooth, roles=self.roles, levels=self.levels
        )
        split_rng, test_rng, draw_rng = spawn(generator, 3)
        fit = fit_least_squares(ready.scores.values, ready.design)
        refuse_undetermined(ready.scores, ready.design, fit.coefficient)
        test = population_test(ready.scores.values, ready.design, self.n_draws, test_rng)
        found = find_subspaces(
            ready,
            fit.coefficient[:-1],
            test.p_any,
            axes=self.axes,
            n_ranks=self.n_ranks,
            n_splits=self.n_splits,
            rng=split_rng,
        )
        samples, _ = average_samples(ready.scores.values, ready.groups[0])
        averages, conditions = described_conditions(
            ready.scores, ready.columns[0], found.axes, self.n_draws, draw_rng
        )
        over = ("all_regressor", "neuron", "time")
        course = np.einsum("an,rnt->art", found.raw, fit.coefficient, optimize=True)
        variables = {
            "coefficient": (over, fit.coefficient, ONE),
            "standard_error": (over, fit.standard_error, ONE),
            "mean": ("neuron", ready.mean, {"units": ready.units}),
            "scale": ("neuron", ready.scale, {"units": ready.units}),
            "axes": found.axes,
            "raw_axes": (("axis", "neuron"), found.raw, ONE),
            "time_course": (("axis", "all_regressor", "time"), course, ONE),
            "coefficient_share": ("axis", found.share, ONE),
            "explained_variance_ratio": ("axis", share_along(found.axes.values, samples), ONE),
            "half_split_cosine": ("axis", found.repeats, ONE),
            "held_out_cosine": (("term", "candidate"), found.cosines, ONE),
            "n_ranks": ("term", found.ranks, ONE),
            **described_test(test),
            **averages,
        }
        return make_result(
            variables,
            coords=conditions | dict(found.axes.coords) | _coords(ready, found),
            method="multi_tdr",
            parameters={name: getattr(self, name) for name in _STORED},
            source=x,
            seed=seed,
        ).assign_attrs(
            popdyn_class="analysis.multi_tdr:MultiTDR",
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
        DataArray (axis, time, trial or condition)
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
            Method ``"multi_tdr"``.

        Raises
        ------
        FitError
            If `fit` has not been called.
        """
        check_fitted(self, "a tensor")
        return self.result_

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> MultiTDR:
        """Make the fitted estimator from what `to_dataset` gave.

        Parameters
        ----------
        dataset : Dataset
            From `to_dataset`, perhaps through a file.

        Returns
        -------
        MultiTDR
            Ready to transform.

        Raises
        ------
        TensorError
            If it is not such a result.
        """
        self = not_yet_restored(cls, dataset, "multi_tdr")
        self.result_ = dataset
        self._learn()
        return self

    def _learn(self) -> None:
        """Set what was learnt from the result."""
        found = self.result_
        self.coefficient_ = found["coefficient"].rename(all_regressor="regressor")
        self.raw_axes_, self.axes_ = found["raw_axes"], found["axes"]
        self.n_ranks_ = found["n_ranks"]
        self.mean_, self.scale_ = found["mean"], found["scale"]


def _coords(ready: Prepared, found: Subspaces) -> dict[Any, Any]:
    """Coordinates of a result beside those of the axes and the conditions."""
    return {
        "all_regressor": np.array(ready.design.names),
        "all_regressor_term": ("all_regressor", np.array(ready.design.term)),
        "term": np.array(ready.design.terms),
        "candidate": np.arange(found.cosines.shape[1]),
        "time": ("time", ready.scores["time"].to_numpy(), {"units": "s"}),
        "bound": BOUND,
    }
