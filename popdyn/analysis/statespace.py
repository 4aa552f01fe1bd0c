"""Along which few directions the activity of a population moves.

Principal components of the neurons, fitted to condition averages, with what they hold of
trials they were not fitted to, and the number of dimensions without the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from popdyn.analysis.statespace_result import (
    Dimensions,
    bounds_of_averages,
    described,
    kept_trials,
    of_conditions,
    of_single_trials,
)
from popdyn.analysis.statespace_samples import (
    assumed_units,
    check_options,
    check_samples,
    checked_values,
    coords,
    known_neurons,
    same_neurons,
    same_units,
    samples_of,
    warn_constant,
    warn_incomplete_conditions,
)
from popdyn.analysis.stored_estimator import check_fitted, not_yet_restored
from popdyn.analysis.trials import principal_axes
from popdyn.errors import FitError, TensorError, warn
from popdyn.resample import BOUND, Seed, as_generator
from popdyn.tensor.result import make_result


class PCA(BaseEstimator):  # type: ignore[no-untyped-call]
    """Principal components of a population: the state space of condition averages.

    Parameters
    ----------
    n_components : int, "cv" or "null", default 3
        Number of components, or the rule that chooses it: ``n_components_cross_validated`` or
        ``n_components_null`` of the result (at least 1).
    by : str or list of str, optional
        Trial columns that define the conditions of a tensor.  Without it a tensor's single
        trials are fitted.
    soft_normalize : bool, default False
        Divide neurons by their range plus an offset, as `popdyn.soft_normalize` does, and
        divide whatever is projected later by the same numbers.
    n_splits : int, default 100
        Number of random splits of the trials in two halves, each with a draw of the null of
        components that carry over.
    n_draws : int, default 200
        Number of bootstrap draws of trials for the bounds of trajectories.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Attributes
    ----------
    loading_ : DataArray (neuron, component)
        Orthonormal directions; the largest entry by size of each is positive.
    mean_ : DataArray (neuron)
        Mean over the samples, taken off before projecting.
    scale_ : DataArray (neuron)
        What neurons are divided by first; 1 without `soft_normalize`.
    explained_variance_ratio_ : DataArray (component)
        Share of the variance of the data fitted to, noise included.
    result_ : Dataset
        What `to_dataset` gives.

    Notes
    -----
    Spike counts are turned into rates (Hz).  A sample (time and condition, or time and trial) in
    which some neuron is NaN takes no part; a neuron that is NaN throughout is left out with a
    warning that names it.

    *Cross-validated ratio*: the share of the variance of one half's averages held by components
    of the other half, mean over splits and both directions; of single trials, the share of a
    tenth of the trials held by components of the rest.  *Null*: the same for components of
    a half in which every neuron's samples were shuffled on their own; it tests whether
    components carry over between halves.  *Signal variance*: covariance of both halves along the
    components of one.  *Participation ratio*: of the signal covariance, from products between
    quarters of the trials (halves with fewer than four trials per condition).

    *Number of components*: ``n_components_bi_cross_validated`` is the smallest that predicts
    held-out blocks (a tenth of the neurons in a tenth of the samples) within a standard error of
    the best.  ``n_components_cross_validated`` is the number of components of one half of the
    trials that predict the averages of the other half best, which holds for smoothed rates too;
    without conditions it is the former.  ``n_components_null`` counts the leading components with
    ``dimension_p`` of at most 0.05, each larger than the first of what is left over after those
    before it, once every neuron's courses have been moved in time (and mirrored at their ends) and
    given to other conditions or trials (99 times; -1 with a single condition, where slow courses
    of independent neurons would pass); components that hold less than 0.01 % of the variance are
    not tested.

    *Bounds* of shares, loadings and the participation ratio: Student intervals from leaving out
    a tenth of the trials in turn; NaN with fewer than four trials per condition.  Of the number
    by cross-validation: all numbers that do not predict significantly worse than the best.  Of
    trajectories: bootstrap of the averages along the fitted components, taken as given.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> signal = np.outer(rng.normal(size=8), np.sin(np.arange(20)))[:, :, None]
    >>> values = 30 + 5 * signal + rng.normal(size=(8, 20, 10))
    >>> trials = {"choice": ["left", "right"] * 5}
    >>> tensor = pdn.make_tensor(values, 0.1 * np.arange(20), trials=trials)
    >>> pca = pdn.PCA(2, by="choice", n_splits=10, n_draws=20).fit(tensor)
    >>> dict(pca.transform(tensor).sizes)
    {'component': 2, 'time': 20, 'trial': 10}
    >>> bool(pca.result_.cross_validated_ratio[0] > 0.9)
    True
    """

    loading_: xr.DataArray
    mean_: xr.DataArray
    scale_: xr.DataArray
    explained_variance_ratio_: xr.DataArray
    result_: xr.Dataset

    def __init__(
        self,
        n_components: int | Literal["cv", "null"] = 3,
        *,
        by: str | Sequence[str] | None = None,
        soft_normalize: bool = False,
        n_splits: int = 100,
        n_draws: int = 200,
        rng: Seed = 0,
    ) -> None:
        self.n_components = n_components
        self.by = by
        self.soft_normalize = soft_normalize
        self.n_splits = n_splits
        self.n_draws = n_draws
        self.rng = rng

    def fit(self, x: xr.DataArray | xr.Dataset, y: None = None) -> PCA:  # noqa: ARG002
        """Find the components.

        Parameters
        ----------
        x : DataArray or Dataset
            A condition average, or a tensor (neuron, time, trial).
        y : None
            Not used; there because scikit-learn's manners have it.

        Returns
        -------
        PCA
            Itself.

        Raises
        ------
        FitError
            If there are fewer neurons or samples than components, no sample is complete,
            nothing varies, or "null" is asked for with one condition.
        TensorError
            If the data break the contract, or ``by`` is given with a condition average.

        Warns
        -----
        PopdynWarning
            When neurons or trials are left out, neurons never vary, a condition has a single
            trial, or takes no part because a neuron has none there.
        """
        check_options(self.n_components, self.n_splits, self.n_draws)
        generator, seed = as_generator(self.rng)
        values, trials, scale = samples_of(x, self.by, soft_normalize=self.soft_normalize)
        values = known_neurons(values)
        self.scale_ = scale.sel(neuron=values["neuron"].to_numpy())
        if "condition" in values.dims:
            warn_incomplete_conditions(values)
        check_samples(values, 1 if isinstance(self.n_components, str) else self.n_components)
        # Many small eigenproblems: threads of the BLAS would only wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            samples = values.to_numpy().astype(np.float64)
            of_each = None if trials is None else kept_trials(trials, values)
            dimensions = Dimensions(samples, of_each, self.n_splits, generator)
            self._fit_axes(values, dimensions)
            ratio = self.explained_variance_ratio_.to_numpy()
            variables: dict[str, Any] = {
                "loading": self.loading_,
                "mean": self.mean_,
                "scale": self.scale_,
                "explained_variance_ratio": self.explained_variance_ratio_,
                **described(values, self.loading_, self.mean_),
            }
            if trials is not None and of_each is not None:
                variables |= of_conditions(
                    trials, of_each, self.loading_, self.mean_, self.n_splits, self.n_draws,
                    generator,
                )  # fmt: skip
                variables |= bounds_of_averages(
                    of_each, self.loading_, ratio, dimensions, generator
                )
            elif "trial" in values.dims:
                variables |= of_single_trials(samples, self.loading_, ratio, generator)
        self.result_ = make_result(
            variables | dimensions.variables(),
            coords={
                **coords(values),
                **dimensions.coords(),
                "component": self.loading_["component"],
                "bound": BOUND,
            },
            method="pca",
            parameters={
                "n_components": self.n_components,
                "by": self.by,
                "soft_normalize": self.soft_normalize,
                "n_splits": self.n_splits,
                "n_draws": self.n_draws,
            },
            source=values,
            seed=seed,
        ).assign_attrs(popdyn_class="analysis.statespace:PCA", **assumed_units(x))
        return self

    def transform(self, x: xr.DataArray | xr.Dataset) -> xr.DataArray:
        """Project a tensor or a condition average on the components.

        Parameters
        ----------
        x : DataArray or Dataset
            With all neurons of the fit, in any order; NaN samples stay NaN.

        Returns
        -------
        DataArray
            ``component`` in the place of ``neuron``.

        Raises
        ------
        TensorError
            If neurons are missing, or the unit is another one than that of the fit.
        FitError
            If `fit` has not been called.
        """
        check_fitted(self)
        values = same_neurons(checked_values(x), self.loading_["neuron"])
        same_units(x, values, self.result_, self.scale_.attrs["units"])
        attrs = dict(values.attrs)
        if self.soft_normalize:
            values, attrs = values / self.scale_, attrs | {"units": "1"}
        rest = [str(dim) for dim in values.dims if dim != "neuron"]
        state: xr.DataArray = xr.dot(self.loading_, values - self.mean_, dim="neuron")
        state = state.transpose("component", *rest).rename("state")
        state.attrs = attrs
        return state

    def inverse_transform(self, state: xr.DataArray) -> xr.DataArray:
        """Give the rates that a state stands for.

        Parameters
        ----------
        state : DataArray
            With a ``component`` dimension, as from `transform`.

        Returns
        -------
        DataArray
            ``neuron`` in the place of ``component``.

        Raises
        ------
        TensorError
            If there is no such dimension, or of another size.
        FitError
            If `fit` has not been called.
        """
        check_fitted(self)
        n_components = self.loading_.sizes["component"]
        if not isinstance(state, xr.DataArray) or state.sizes.get("component") != n_components:
            found = dict(state.sizes) if isinstance(state, xr.DataArray) else type(state).__name__
            message = f"expected states with {n_components} components, found {found}"
            raise TensorError(message)
        rest = [str(dim) for dim in state.dims if dim != "component"]
        values: xr.DataArray = xr.dot(self.loading_, state, dim="component") + self.mean_
        values = values.transpose("neuron", *rest).rename("rate")
        values.attrs = dict(state.attrs)
        if self.soft_normalize:
            values = values * self.scale_
            values.attrs = dict(state.attrs) | {"units": self.scale_.attrs["units"]}
        return values

    def to_dataset(self) -> xr.Dataset:
        """Give everything that was learnt, as a result.

        Returns
        -------
        Dataset
            Method ``"pca"``: ``loading``, ``mean``, ``scale``, ``explained_variance_ratio``,
            ``trajectory``; ``bi_cross_validated_ratio (candidate)``,
            ``n_components_bi_cross_validated``, ``n_components_cross_validated``;
            ``variance_share``, ``null_variance_share`` and
            ``dimension_p (dimension)`` and ``n_components_null``; with trials
            ``cross_validated_ratio``, ``cumulative_cross_validated_ratio`` and bounds; with
            conditions also ``split_trial_ratio (candidate)``, ``null_cumulative_ratio``,
            ``signal_variance``, ``participation_ratio`` and ``n_trials``.

        Raises
        ------
        FitError
            If `fit` has not been called.
        """
        check_fitted(self)
        return self.result_

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> PCA:
        """Make the fitted estimator from what `to_dataset` gave.

        Parameters
        ----------
        dataset : Dataset
            From `to_dataset`, perhaps through a file.

        Returns
        -------
        PCA
            Ready to transform.

        Raises
        ------
        TensorError
            If it is not such a result.
        """
        self = not_yet_restored(cls, dataset, "pca")
        self.loading_ = dataset["loading"]
        self.mean_ = dataset["mean"]
        self.scale_ = dataset["scale"]
        self.explained_variance_ratio_ = dataset["explained_variance_ratio"]
        self.result_ = dataset
        return self

    def _fit_axes(self, values: xr.DataArray, dimensions: Dimensions) -> None:
        """Set what is learnt from samples (neuron, time, condition or trial)."""
        matrix = values.to_numpy().reshape(values.sizes["neuron"], -1).astype(np.float64)
        matrix = matrix[:, np.isfinite(matrix).all(axis=0)]
        n_components = self._n_components(dimensions)
        mean = matrix.mean(axis=1)
        matrix = matrix - mean[:, None]
        warn_constant(matrix, mean, values["neuron"].to_numpy())
        axes, power = principal_axes(matrix, n_components)
        neuron = {"neuron": values["neuron"].to_numpy()}
        component = {"component": np.arange(1, n_components + 1)}
        units = {"units": str(values.attrs.get("units", "1"))}
        self.loading_ = xr.DataArray(
            axes, dims=("neuron", "component"), coords=neuron | component, attrs={"units": "1"}
        )
        self.mean_ = xr.DataArray(mean, dims="neuron", coords=neuron, attrs=units)
        self.explained_variance_ratio_ = xr.DataArray(
            power / (matrix**2).sum(), dims="component", coords=component, attrs={"units": "1"}
        )

    def _n_components(self, dimensions: Dimensions) -> int:
        """Take the number asked for, or the one the rule gives."""
        if self.n_components not in ("cv", "null"):
            return int(self.n_components)
        if self.n_components == "null" and not dimensions.testable:
            message = (
                "n_components='null' gives each neuron's courses to other conditions or trials, "
                "and there is only one: independent neurons with slow courses would pass. Give "
                "more conditions, 'cv' with trials, or a number of components"
            )
            raise FitError(message)
        found = dimensions.number(str(self.n_components))
        if found < 1:
            message = (
                f"n_components={self.n_components!r} finds no component beyond noise: one is kept"
            )
            warn(message)
        return max(1, found)
