"""Along which few directions the activity of a population moves.

Principal components of the neurons, fitted to condition averages, with what they hold of
trials they were not fitted to, and the number of dimensions without the noise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from popdyn.analysis.statespace_samples import (
    averaged,
    check_matrix,
    coords,
    from_average,
    from_tensor,
    known_neurons,
    same_neurons,
    warn_constant,
    warn_single_trials,
)
from popdyn.analysis.statespace_splits import (
    error_bounds,
    jackknife_error,
    split_shares,
    student_factor,
    summaries,
)
from popdyn.analysis.trials import (
    Array,
    ConditionTrials,
    average_trials,
    condition_trials,
    is_average,
    principal_axes,
)
from popdyn.errors import FitError, TensorError
from popdyn.resample import BOUND, Seed, as_generator, bootstrap, percentile_bounds, spawn
from popdyn.tensor.contract import check, check_average
from popdyn.tensor.result import make_result


class PCA(BaseEstimator):  # type: ignore[no-untyped-call]
    """Principal components of a population: the state space of condition averages.

    Parameters
    ----------
    n_components : int, default 3
        Number of components.
    by : str or list of str, optional
        Trial columns that define the conditions of a tensor.  Without it a tensor's single
        trials are fitted, with neither cross-validation nor bounds.
    n_splits : int, default 100
        Number of random splits of the trials in two halves.
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
    of the other half, mean over splits and both directions.  *Null*: the same for components of
    a half in which every neuron's samples were shuffled on their own; it tests whether
    components carry over between halves.  *Signal variance*: covariance of both halves along the
    components of one.  *Participation ratio*: of the signal covariance, from products between
    quarters of the trials (halves with fewer than four trials per condition).

    *Bounds* of the shares and the participation ratio: Student intervals from leaving out a tenth
    of the trials in turn; NaN with fewer than four trials per condition.  Bounds of trajectories:
    bootstrap of the averages along the fitted components, which are taken as given.

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
    explained_variance_ratio_: xr.DataArray
    result_: xr.Dataset

    def __init__(
        self,
        n_components: int = 3,
        *,
        by: str | Sequence[str] | None = None,
        n_splits: int = 100,
        n_draws: int = 200,
        rng: Seed = 0,
    ) -> None:
        self.n_components = n_components
        self.by = by
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
            If there are fewer neurons or samples than components, no sample is complete, or
            nothing varies.
        TensorError
            If the data break the contract, or ``by`` is given with a condition average.

        Warns
        -----
        PopdynWarning
            When neurons are left out, never vary, or a condition has a single trial.
        """
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 1:
            message = f"n_components must be an integer of at least 1, found {self.n_components!r}"
            raise TensorError(message)
        if self.n_splits < 1 or self.n_draws < 1:
            message = f"expected n_splits and n_draws >= 1, found {self.n_splits}, {self.n_draws}"
            raise TensorError(message)
        generator, seed = as_generator(self.rng)
        trials = None
        if is_average(x):
            if self.by is not None:
                message = "by= is for a tensor; this is a condition average already: leave by out"
                raise TensorError(message)
            values = from_average(check_average(x))
        elif self.by is None:
            values = from_tensor(check(x))
        else:
            trials = condition_trials(x, self.by)  # type: ignore[arg-type]
            values = averaged(trials)
        values = known_neurons(values)
        self._fit_axes(values)
        variables = self._described(values)
        if trials is not None:
            # Many small eigenproblems: threads of the BLAS would only wait for each other.
            with threadpool_limits(limits=1, user_api="blas"):
                variables |= self._uncertainty(trials, generator)
        self.result_ = make_result(
            variables,
            coords={**coords(values), "component": self.loading_["component"], "bound": BOUND},
            method="pca",
            parameters={
                "n_components": self.n_components,
                "by": self.by,
                "n_splits": self.n_splits,
                "n_draws": self.n_draws,
            },
            source=values,
            seed=seed if trials is not None else None,
        ).assign_attrs(popdyn_class="analysis.statespace:PCA")
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
            If neurons are missing.
        FitError
            If `fit` has not been called.
        """
        self._check_fitted()
        values = from_average(check_average(x)) if is_average(x) else from_tensor(check(x))
        values = same_neurons(values, self.loading_["neuron"])
        rest = [str(dim) for dim in values.dims if dim != "neuron"]
        state: xr.DataArray = xr.dot(self.loading_, values - self.mean_, dim="neuron")
        state = state.transpose("component", *rest).rename("state")
        state.attrs = dict(values.attrs)
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
        self._check_fitted()
        n_components = self.loading_.sizes["component"]
        if not isinstance(state, xr.DataArray) or state.sizes.get("component") != n_components:
            found = dict(state.sizes) if isinstance(state, xr.DataArray) else type(state).__name__
            message = f"expected states with {n_components} components, found {found}"
            raise TensorError(message)
        rest = [str(dim) for dim in state.dims if dim != "component"]
        values: xr.DataArray = xr.dot(self.loading_, state, dim="component") + self.mean_
        values = values.transpose("neuron", *rest).rename("rate")
        values.attrs = dict(state.attrs)
        return values

    def to_dataset(self) -> xr.Dataset:
        """Give everything that was learnt, as a result.

        Returns
        -------
        Dataset
            Method ``"pca"``: ``loading``, ``mean``, ``explained_variance_ratio``,
            ``trajectory``, and with trials of conditions ``cross_validated_ratio``,
            ``cumulative_cross_validated_ratio``, ``null_cumulative_ratio``,
            ``signal_variance``, ``participation_ratio``, ``n_trials`` and bounds.

        Raises
        ------
        FitError
            If `fit` has not been called.
        """
        self._check_fitted()
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
        if dataset.attrs.get("method") != "pca":
            message = (
                "expected a result of method 'pca', found method "
                f"{dataset.attrs.get('method', 'none')!r}"
            )
            raise TensorError(message)
        seed = str(dataset.attrs.get("seed", ""))
        known = json.loads(str(dataset.attrs["parameters"]))
        self = cls(**known, rng=int(seed) if seed.isdigit() else 0)
        self.loading_ = dataset["loading"]
        self.mean_ = dataset["mean"]
        self.explained_variance_ratio_ = dataset["explained_variance_ratio"]
        self.result_ = dataset
        return self

    def _fit_axes(self, values: xr.DataArray) -> None:
        """Set what is learnt from samples (neuron, time, condition or trial)."""
        matrix = values.to_numpy().reshape(values.sizes["neuron"], -1).astype(np.float64)
        matrix = matrix[:, np.isfinite(matrix).all(axis=0)]
        check_matrix(matrix, values, self.n_components)
        mean = matrix.mean(axis=1)
        matrix = matrix - mean[:, None]
        warn_constant(matrix, mean, values["neuron"].to_numpy())
        axes, power = principal_axes(matrix, self.n_components)
        neuron = {"neuron": values["neuron"].to_numpy()}
        component = {"component": np.arange(1, self.n_components + 1)}
        units = {"units": str(values.attrs.get("units", "1"))}
        self.loading_ = xr.DataArray(
            axes, dims=("neuron", "component"), coords=neuron | component, attrs={"units": "1"}
        )
        self.mean_ = xr.DataArray(mean, dims="neuron", coords=neuron, attrs=units)
        self.explained_variance_ratio_ = xr.DataArray(
            power / (matrix**2).sum(), dims="component", coords=component, attrs={"units": "1"}
        )

    def _described(self, values: xr.DataArray) -> dict[str, Any]:
        """Variables that need no trials."""
        variables: dict[str, Any] = {
            "loading": self.loading_,
            "mean": self.mean_,
            "explained_variance_ratio": self.explained_variance_ratio_,
        }
        if "condition" in values.dims:
            state = xr.dot(self.loading_, values - self.mean_, dim="neuron")
            order = ("component", "time", "condition")
            units = {"units": self.mean_.attrs["units"]}
            variables["trajectory"] = (order, state.transpose(*order).to_numpy(), units)
        return variables

    def _uncertainty(self, trials: ConditionTrials, rng: np.random.Generator) -> dict[str, Any]:
        """Cross-validated variables and bounds."""
        kept = trials.tensor["neuron"].isin(self.loading_["neuron"]).to_numpy()
        values = [trials.values(i)[:, kept] for i in range(len(trials.labels))]
        warn_single_trials(values, trials.labels)
        shares = split_shares(values, self.n_components, spawn(rng, self.n_splits), with_null=True)
        k = self.n_components
        estimate = summaries(shares)
        error, n_groups = jackknife_error(values, k, rng)
        bound = error_bounds(estimate, error, n_groups)
        one, n_neurons = {"units": "1"}, self.mean_.size  # no participation ratio is above it
        over = ("bound", "component")
        units = self.mean_.attrs["units"]
        square = {"units": "1" if units == "1" else f"{units}^2"}
        return {
            "cross_validated_ratio": ("component", estimate[:k], one),
            "cross_validated_ratio_bound": (over, bound[:, :k], one),
            "cumulative_cross_validated_ratio": ("component", estimate[k:-1], one),
            "cumulative_cross_validated_ratio_bound": (over, bound[:, k:-1], one),
            "null_cumulative_ratio": (("draw", "component"), shares.null.cumsum(1), one),
            "signal_variance": ("component", shares.signal.mean(axis=0), square),
            "participation_ratio": ((), float(estimate[-1]), one),
            "participation_ratio_bound": ("bound", bound[:, -1].clip(1.0, n_neurons), one),
            "trajectory_bound": (
                ("bound", "component", "time", "condition"),
                self._trajectory_bound(trials, values, rng),
                {"units": units},
            ),
            "n_trials": ("condition", trials.n_trials),
        }

    def _trajectory_bound(
        self, trials: ConditionTrials, values: Sequence[Array], rng: np.random.Generator
    ) -> Array:
        """Bounds (bound, component, time, condition) of averages along the fitted axes."""
        by = [str(name) for name in trials.table]
        plan = bootstrap(trials.tensor, by, self.n_draws, rng)
        times_drawn = plan.times_drawn()
        bounds = []
        for position, of_condition in zip(trials.position, values, strict=True):
            average = average_trials(of_condition - self.mean_.to_numpy()[:, None])
            average = average.project(self.loading_.to_numpy())
            flat = average.influence.reshape(len(position), -1)
            error = (times_drawn[:, position] @ flat).reshape(-1, *average.mean.shape)
            error *= student_factor(len(position))
            bounds.append(average.mean + percentile_bounds(error))
        return np.stack(bounds, axis=-1)

    def _check_fitted(self) -> None:
        """Refuse to use what was not learnt yet."""
        if not hasattr(self, "loading_"):
            message = "this PCA has not been fitted: call fit with a tensor or an average first"
            raise FitError(message)
