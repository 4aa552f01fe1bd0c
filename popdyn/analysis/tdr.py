"""Along which directions a population encodes each task variable: targeted dimensionality reduction.

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

from popdyn.analysis.design import Design, make_design, refuse_confounded
from popdyn.analysis.least_squares import fit_least_squares
from popdyn.analysis.statespace_samples import from_average, from_tensor, same_neurons
from popdyn.analysis.tdr_axes import (
    Windows,
    angle_cosines,
    chosen_bins,
    denoised,
    orthogonalized,
    random_cosines,
    raw_axes,
    window_of,
)
from popdyn.analysis.tdr_permutation import population_test
from popdyn.analysis.tdr_splits import (
    average_components,
    average_samples,
    component_scores,
    cross_cosines,
    split_trials,
)
from popdyn.analysis.trials import is_average
from popdyn.errors import FitError, TensorError, warn
from popdyn.preprocess.smooth import smooth as smoothed
from popdyn.resample import Seed, as_generator, spawn
from popdyn.tensor.contract import bin_width_of, check, check_average
from popdyn.tensor.result import make_result
from popdyn.tensor.roles import assign_roles
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]
Index = NDArray[np.intp]

FEW_TRIALS = 10  # per condition: below it, denoising in the averages costs more than it gains


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
        over color, choice and context).  By default all columns of the regressors together.
    axes : list of str, optional
        Regressors that get an axis, in the order in which they are made orthogonal: the first
        keeps its direction.  By default all but interactions, in their order.
    at : "max_norm" or dict of str to (float, float)
        Which bins make the axis of a regressor: the one where its coefficients are largest over
        neurons, or all in a window (s from the alignment event).
    n_components : int, None or "cv"
        Principal components of the condition averages in which coefficients are denoised (12 in
        the paper); None does not denoise; ``"cv"`` takes the number, or none, that predicts the
        coefficients of held-out halves of the trials best.
    smooth : float
        Standard deviation (s) of the Gaussian that trials are smoothed with, and so coefficients
        and averages; 0 for none.
    n_splits : int
        Random halves of the trials, for ``"cv"`` and for how far axes repeat themselves.
    n_draws : int
        Permutations, and pairs of random axes.
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
    n_components_ : int or None
        Number of components used; None for no denoising.
    result_ : Dataset
        What `to_dataset` gives.

    Notes
    -----
    Neurons may miss trials or be recorded apart: each is regressed on its own trials.  An average
    counts where every neuron has one.  Neurons that never vary are left out with a warning.

    *Significance* (`strength`, `p`): Freedman-Lane permutation of the residuals without a term,
    all neurons together, largest strength over time.  *Repeatability* (`half_split_cosine`): the
    cosine between a regressor's axes of two halves of the trials.  *Angles*: `cosine` between raw
    axes is biased where regressors are correlated, as their scores are; `cross_cosine` is between
    axes of different halves, and `cosine_p` compares its size with that of axes drawn at random
    with the covariance of the averages (`cosine_null`).  Noise makes cross cosines small, so that
    the test is conservative.

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
    n_components_: int | None
    result_: xr.Dataset

    def __init__(
        self,
        regressors: str | Sequence[str],
        *,
        by: str | Sequence[str] | Sequence[Sequence[str]] | None = None,
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
            If there are fewer trials than coefficients, or no state space to denoise in.

        Warns
        -----
        PopdynWarning
            When neurons never vary, or conditions have fewer than 10 trials on average.
        """
        generator, seed = as_generator(self.rng)
        tensor = self._prepared(x)
        design = _scaled(make_design(tensor, self.regressors, levels=self.levels))
        refuse_confounded(design)
        names, chosen = self._axes_of(design)
        values, tensor = self._standardized(tensor, design)
        groups = self._groups(tensor, design)
        coefficient = fit_least_squares(values, design).coefficient
        pairs = split_trials(values, design, groups, self.n_splits, generator)
        flat = [group for own in groups for group in own]
        components, scores = self._components(values, flat, pairs)
        inside = denoised(coefficient[:-1], components)[chosen]
        time = tensor["time"].to_numpy()
        bins = chosen_bins(inside, names, time, self.at)
        raw = raw_axes(inside, bins)
        axes = orthogonalized(raw, names)
        across = cross_cosines(
            [tuple(_only(half, chosen) for half in pair) for pair in pairs],  # type: ignore[misc]
            self.n_components_,
            bins,
        ).mean(axis=0)
        samples = average_samples(values, groups[0])
        covariance = np.cov(samples) if samples.shape[1] > 1 else np.eye(len(values))
        test_rng, null_rng = spawn(generator, 2)
        test = population_test(values, design, self.n_draws, test_rng)
        null = random_cosines(covariance, max(1000, self.n_draws), null_rng)
        width = bin_width_of(tensor)
        one = {"units": "1"}
        centered = samples - samples.mean(axis=1, keepdims=True)
        power = (centered**2).sum()
        larger = np.abs(null)[:, None, None] >= np.abs(across)
        cosine_p = (1.0 + larger.sum(axis=0)) / (1.0 + null.size)
        np.fill_diagonal(cosine_p, np.nan)
        square = ("regressor", "regressor_2")
        edges = np.array([window_of(own, time, width) for own in bins])
        self.result_ = make_result(
            {
                "coefficient": (("all_regressor", "neuron", "time"), coefficient, one),
                "raw_axes": (("regressor", "neuron"), raw, one),
                "axes": (("regressor", "neuron"), axes, one),
                "mean": ("neuron", self.mean_.to_numpy(), self.mean_.attrs),
                "scale": ("neuron", self.scale_.to_numpy(), self.scale_.attrs),
                "window": (("regressor", "edge"), edges, {"units": "s"}),
                "norm": (
                    ("regressor", "time"),
                    np.sqrt((inside**2).sum(axis=1)),
                    {**one, "description": "of the denoised coefficients over neurons"},
                ),
                "explained_variance_ratio": (
                    "regressor",
                    ((axes @ centered) ** 2).sum(axis=1) / power,
                    {**one, "description": "share of the variance of the condition averages"},
                ),
                "half_split_cosine": ("regressor", np.diag(across).copy(), one),
                "cosine": (square, angle_cosines(raw), one),
                "cross_cosine": (square, across, one),
                "cosine_p": (square, cosine_p, one),
                "cosine_null": ("draw", null, one),
                "strength": (("term", "time"), test.strength, one),
                "p": (("term", "time"), test.p, one),
                "p_any": ("term", test.p_any, one),
                "component_score": ("n_components", scores, one),
            },
            coords={
                "regressor": np.array(names),
                "regressor_2": np.array(names),
                "all_regressor": np.array(design.names),
                "term": np.array(design.terms),
                "neuron": tensor["neuron"].to_numpy(),
                "time": ("time", time, {"units": "s"}),
                "edge": np.array(["start", "stop"]),
                "n_components": np.append(np.arange(1, len(scores)), 0),
            },
            method="tdr",
            parameters={
                "regressors": self.regressors,
                "by": self.by,
                "axes": self.axes,
                "at": self.at,
                "n_components": self.n_components,
                "smooth": self.smooth,
                "n_splits": self.n_splits,
                "n_draws": self.n_draws,
            },
            source=tensor,
            seed=seed,
        ).assign_attrs(
            popdyn_class="analysis.tdr:TDR",
            n_components_used=-1 if self.n_components_ is None else self.n_components_,
            activity_units=str(tensor.attrs["units"]),
        )
        self._learn()
        return self

    def transform(self, x: xr.DataArray | xr.Dataset) -> xr.DataArray:
        """Project trials or condition averages on the axes.

        Parameters
        ----------
        x : DataArray or Dataset
            A tensor or a condition average with all neurons of the fit, in any order, smoothed as
            wished: nothing is smoothed here.

        Returns
        -------
        DataArray (regressor, time, trial or condition)
            Standardized activity along each axis (1); NaN where a neuron is.

        Raises
        ------
        TensorError
            If neurons are missing, or the unit is another one than that of the fit.
        FitError
            If `fit` has not been called.
        """
        if not hasattr(self, "axes_"):
            message = "this TDR has not been fitted: call fit with a tensor first"
            raise FitError(message)
        values = from_average(check_average(x)) if is_average(x) else from_tensor(check(x))
        wanted = self.result_.attrs["activity_units"]
        if str(values.attrs.get("units", wanted)) != wanted:
            message = f"expected activity in {wanted}, as in the fit, found {values.attrs['units']}"
            raise TensorError(message)
        values = same_neurons(values, self.axes_["neuron"])
        rest = [str(dim) for dim in values.dims if dim != "neuron"]
        scores = (values - self.mean_) / self.scale_
        projected: xr.DataArray = xr.dot(self.axes_, scores, dim="neuron")
        projected = projected.transpose("regressor", *rest).rename("projection")
        projected.attrs = {**values.attrs, "units": "1"}
        return projected

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
        if not hasattr(self, "result_"):
            message = "this TDR has not been fitted: call fit with a tensor first"
            raise FitError(message)
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
        if dataset.attrs.get("method") != "tdr":
            message = (
                "expected a result of method 'tdr', found method "
                f"{dataset.attrs.get('method', 'none')!r}"
            )
            raise TensorError(message)
        seed = str(dataset.attrs.get("seed", ""))
        known = json.loads(str(dataset.attrs["parameters"]))
        self = cls(**known, rng=int(seed) if seed.isdigit() else 0)
        self.result_ = dataset
        used = int(dataset.attrs["n_components_used"])
        self.n_components_ = None if used < 0 else used
        self._learn()
        return self

    def _learn(self) -> None:
        """Set what was learnt from the result."""
        found = self.result_
        coefficient = found["coefficient"].rename(all_regressor="regressor")
        self.coefficient_ = coefficient
        self.raw_axes_, self.axes_ = found["raw_axes"], found["axes"]
        self.mean_, self.scale_ = found["mean"], found["scale"]

    def _prepared(self, x: xr.DataArray) -> xr.DataArray:
        """Check the tensor; counts become rates, trials are smoothed."""
        if is_average(x):
            message = (
                "TDR regresses single trials, and this is a condition average: pass the tensor "
                "(neuron, time, trial)"
            )
            raise TensorError(message)
        tensor = from_tensor(check(x))
        tensor = tensor if self.roles is None else assign_roles(tensor, self.roles)
        return smoothed(tensor, sigma=self.smooth) if self.smooth else tensor

    def _axes_of(self, design: Design) -> tuple[list[str], Index]:
        """Names and columns of the regressors that get an axis, in their order."""
        names = list(design.names[:-1])
        wanted = [name for name in names if ":" not in name] if self.axes is None else self.axes
        unknown = [name for name in wanted if name not in names]
        if unknown or not len(wanted) or len(set(wanted)) < len(wanted):
            message = (
                f"axes must name regressors among {', '.join(names)}, each once; found "
                f"{', '.join(map(str, wanted)) or 'none'}"
            )
            raise TensorError(message)
        return [str(name) for name in wanted], np.array([names.index(name) for name in wanted])

    def _standardized(self, tensor: xr.DataArray, design: Design) -> tuple[Array, xr.DataArray]:
        """Bring each neuron to mean 0 and standard deviation 1; leave out those that never vary."""
        values = tensor.values[:, :, design.kept].astype(np.float64)
        with np.errstate(invalid="ignore"):
            known = np.isfinite(values)
            n = known.sum(axis=(1, 2))
            mean = np.where(known, values, 0.0).sum(axis=(1, 2)) / np.maximum(n, 1)
            off = np.where(known, values - mean[:, None, None], 0.0)
            scale = np.sqrt((off**2).sum(axis=(1, 2)) / np.maximum(n, 1))
        varies = scale > 1e-12 * np.maximum(np.abs(mean), 1e-300)
        ids = tensor["neuron"].to_numpy()
        if not varies.all():
            lost = ", ".join(map(str, ids[~varies][:5])) + ", ..." * ((~varies).sum() > 5)
            message = f"{(~varies).sum()} of {len(ids)} neurons never vary, left out: {lost}"
            if not varies.any():
                message = f"none of the {len(ids)} neurons varies: there is nothing to fit"
                raise FitError(message)
            warn(message)
        keep = np.flatnonzero(varies)
        units = {"units": str(tensor.attrs["units"])}
        neuron = {"neuron": ids[keep]}
        self.mean_ = xr.DataArray(mean[keep], dims="neuron", coords=neuron, attrs=units)
        self.scale_ = xr.DataArray(scale[keep], dims="neuron", coords=neuron, attrs=units)
        standard = tensor.values[keep].astype(np.float64)
        standard -= mean[keep, None, None]
        standard /= scale[keep, None, None]
        return standard, tensor.isel(neuron=keep)

    def _groups(self, tensor: xr.DataArray, design: Design) -> list[list[Index]]:
        """Positions of the trials of each condition, for each grouping."""
        by = self.by
        if by is None:
            if isinstance(self.regressors, str) and self.regressors not in tensor.coords:
                message = "with a formula, by= must name the columns that define the conditions"
                raise TensorError(message)
            given = [self.regressors] if isinstance(self.regressors, str) else self.regressors
            by = list(dict.fromkeys(part for name in given for part in name.split(":")))
        several = not isinstance(by, str) and any(not isinstance(part, str) for part in by)
        groupings = [list(own) for own in by] if several else [[by] if isinstance(by, str) else by]
        used = np.zeros(tensor.sizes["trial"], dtype=bool)
        used[design.kept] = True
        found, n_trials = [], []
        for own in groupings:
            index = np.where(used, group_conditions(tensor, list(own)).index, -1)  # type: ignore[arg-type]
            groups = [np.flatnonzero(index == i) for i in range(index.max() + 1)]
            found.append([group for group in groups if group.size])
            n_trials.append(np.mean([group.size for group in found[-1]]))
        if self.n_components is not None and min(n_trials) < FEW_TRIALS:
            warn(
                f"conditions have {min(n_trials):.1f} trials on average: components of such noisy "
                "averages can take away weak axes; average over fewer columns with by=, or pass "
                "n_components=None"
            )
        return found

    def _components(
        self, values: Array, groups: Sequence[Index], pairs: Any
    ) -> tuple[Array | None, Array]:
        """Find the components that denoise, and the score of each number of them."""
        scores = component_scores(pairs)
        self.n_components_ = None
        if self.n_components is None:
            return None, scores
        components = average_components(values, groups)
        if self.n_components == "cv":
            best = int(scores.argmax())
            if best == len(scores) - 1:
                return None, scores
            self.n_components_ = best + 1
        elif isinstance(self.n_components, (int, np.integer)) and self.n_components >= 1:
            if self.n_components > components.shape[1]:
                message = (
                    f"n_components={self.n_components} is more than the {components.shape[1]} that "
                    "these neurons and condition averages have: ask for fewer"
                )
                raise FitError(message)
            self.n_components_ = int(self.n_components)
        else:
            message = (
                "n_components must be a whole number of at least 1, None or 'cv', found "
                f"{self.n_components!r}"
            )
            raise TensorError(message)
        return components[:, : self.n_components_], scores


def _scaled(design: Design) -> Design:
    """Divide every regressor by its largest absolute value."""
    largest = np.abs(design.matrix).max(axis=0)
    return Design(design.matrix / largest, design.names, design.term, design.kept, design.units)


def _only(half: Any, chosen: Index) -> Any:
    """Keep the regressors that get an axis."""
    return type(half)(half.coefficient[chosen], half.components)
