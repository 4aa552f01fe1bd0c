"""Does a network move as the recording does?  Project it into the recording's space and back.

The neurons of a network are not those of a recording, so that axes cannot be compared; the
courses of both over the same conditions and times can.  The state spaces of both are mapped on
each other by a rotation with one scale (orthogonal Procrustes: Schönemann 1966, Psychometrika
31:1) or by linear regression, and judged on conditions, or times, that the map has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from popdyn.analysis.space_map_fit import (
    METHODS,
    Map,
    Space,
    canonical_correlations,
    fit_map,
    space_of,
)
from popdyn.analysis.space_map_judge import Judge, check_sizes, flat, values_of
from popdyn.analysis.statespace_samples import (
    checked_values,
    same_neurons,
)
from popdyn.analysis.stored_estimator import check_fitted, not_yet_restored
from popdyn.analysis.subspace_sides import Side, pair_of
from popdyn.analysis.trials import Array
from popdyn.errors import TensorError
from popdyn.resample import BOUND, Seed, as_generator
from popdyn.tensor.result import digest, make_result

_ONE = {"units": "1"}
_BREAKS = ("condition", "time")
# Fewer conditions than this have too few orders for a test, and too few to leave one out.
_FEW_CONDITIONS = 4


class SpaceMap(BaseEstimator):  # type: ignore[no-untyped-call]
    """Map between the state spaces of two sources: a network and a recording, say.

    Parameters
    ----------
    n_components : int, default 3
        Dimensions of either state space.
    by : str or list of str, optional
        Trial columns that define the conditions of tensors; both sources have the same ones.
    method : {"procrustes", "regression"}, default "procrustes"
        A rotation (or reflection) with one scale, or any linear map.
    hold_out : {"condition", "time"}, optional
        What the map is judged on: conditions it has not seen, or runs of a fifth of the time.
        By default conditions, where there are four or more.
    null : {"condition", "time"}, optional
        What is broken in the null: the match of the conditions, or also that of the times
        (the source's courses are rotated).  By default conditions, where there are four or more.
    n_draws : int, default 500
        Draws of the null.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Attributes
    ----------
    source_loading_ : DataArray (neuron, component)
        Main axes of the source.
    target_loading_ : DataArray (neuron, component)
        Main axes of the target.
    matrix_ : DataArray (component, source_component)
        The map of states, without its offset.
    result_ : Dataset
        What `to_dataset` gives.

    Notes
    -----
    Means over the samples are taken off both.  A sample (time and condition) in which a neuron
    of either is NaN takes no part.  Both must have the same conditions, in order, and the same
    number of times; units may differ, as the map has a scale.

    *Held-out ratio*: share of the target's variance at samples left out, over all of its neurons,
    that the source predicts; axes of both and the map are found without those samples.  It is
    at most what so many components of the target hold, and below 0 where the map does harm.
    *Back*: the same from target to source.  *Bounds*: Student intervals from leaving out a tenth
    of the trials of both in turn; NaN with fewer than four trials in a condition.

    A linear regression maps any smooth courses on each other rather well.  What says something
    is the held-out ratio beside its null, and the rotation, which cannot stretch some directions
    and drop others.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> latent = rng.normal(size=(2, 10, 6))
    >>> network, recording = (
    ...     xr.DataArray(
    ...         np.einsum("nk,ktc->ntc", np.linalg.qr(rng.normal(size=(n, 2)))[0], latent),
    ...         dims=("neuron", "time", "condition"),
    ...     )
    ...     for n in (30, 12)
    ... )
    >>> fitted = pdn.SpaceMap(2, n_draws=50).fit(network, recording)
    >>> round(float(fitted.result_["held_out_ratio"]), 6)
    1.0
    >>> dict(fitted.transform(network).sizes)
    {'component': 2, 'time': 10, 'condition': 6}
    """

    source_loading_: xr.DataArray
    target_loading_: xr.DataArray
    matrix_: xr.DataArray
    result_: xr.Dataset

    def __init__(
        self,
        n_components: int = 3,
        *,
        by: str | Sequence[str] | None = None,
        method: str = "procrustes",
        hold_out: str | None = None,
        null: str | None = None,
        n_draws: int = 500,
        rng: Seed = 0,
    ) -> None:
        self.n_components = n_components
        self.by = by
        self.method = method
        self.hold_out = hold_out
        self.null = null
        self.n_draws = n_draws
        self.rng = rng

    def fit(self, source: xr.DataArray | xr.Dataset, target: xr.DataArray | xr.Dataset) -> SpaceMap:
        """Find both spaces and the map between them.

        Parameters
        ----------
        source, target : DataArray or Dataset
            Two tensors (neuron, time, trial) or two condition averages.

        Returns
        -------
        SpaceMap
            Itself.

        Raises
        ------
        TensorError
            If conditions or times do not match, or an argument is out of range.
        FitError
            If there are fewer neurons or samples than components.

        Warns
        -----
        PopdynWarning
            When neurons are NaN throughout, conditions take no part because a neuron has no
            trial there, or conditions are too few for a small p.
        """
        self._check_arguments()
        generator, seed = as_generator(self.rng)
        sides = pair_of(source, target, self.by, "sample", ("the source", "the target"))
        averages = [values_of(side) for side in sides]
        few = averages[0].shape[2] < _FEW_CONDITIONS
        hold_out = self.hold_out or ("time" if few else "condition")
        null = self.null or ("time" if few else "condition")
        with threadpool_limits(limits=1, user_api="blas"):
            variables = self._fitted(sides, averages)
            judge = Judge(self.n_components, self.method, hold_out, *averages[0].shape[1:])
            variables |= judge.compare(averages, null, self.n_draws, generator)
            variables |= judge.bounds(sides, variables, generator)
        coords = {"component": np.arange(1, self.n_components + 1), "bound": BOUND}
        self.result_ = make_result(
            variables,
            coords={
                **coords,
                "source_component": coords["component"],
                "source_neuron": sides[0].average["neuron"].to_numpy(),
                "neuron": sides[1].average["neuron"].to_numpy(),
                "draw": np.arange(self.n_draws),
            },
            method="space_map",
            parameters={
                "n_components": self.n_components, "by": self.by, "method": self.method,
                "hold_out": self.hold_out, "null": self.null, "n_draws": self.n_draws,
            },
            source=sides[1].average,
            seed=seed,
        ).assign_attrs(
            popdyn_class="analysis.space_map:SpaceMap", hold_out=hold_out, null=null,
            source_digest=digest(sides[0].average), map_method=self.method,
        )  # fmt: skip
        self._read(self.result_)
        return self

    def transform(self, x: xr.DataArray | xr.Dataset) -> xr.DataArray:
        """Project data of the source into the space of the target.

        Parameters
        ----------
        x : DataArray or Dataset
            Tensor or condition average with the neurons of the source, in any order.

        Returns
        -------
        DataArray
            ``component`` (of the target) in the place of ``neuron``, in the target's units.

        Raises
        ------
        TensorError
            If neurons are missing.
        FitError
            If `fit` has not been called.
        """
        check_fitted(self, "a source and a target")
        values = same_neurons(checked_values(x), self.source_loading_["neuron"])
        state = self._map.apply(self._source.project(flat(values)))
        return self._labelled(state, values, "component")

    def inverse_transform(self, state: xr.DataArray) -> xr.DataArray:
        """Give the rates of the source that a state of the target stands for.

        Parameters
        ----------
        state : DataArray
            States of the target (component, ...): from `transform`, or the target's own from
            `project_target`.

        Returns
        -------
        DataArray
            ``neuron`` (of the source) in the place of ``component``.

        Raises
        ------
        TensorError
            If there is no such dimension, or of another size.
        FitError
            If `fit` has not been called.
        """
        check_fitted(self, "a source and a target")
        if not isinstance(state, xr.DataArray) or state.sizes.get("component") != self.n_components:
            found = dict(state.sizes) if isinstance(state, xr.DataArray) else type(state).__name__
            message = f"expected states with {self.n_components} components, found {found}"
            raise TensorError(message)
        state = state.transpose("component", ...)
        rates = self._source.axes @ self._back.apply(flat(state)) + self._source.mean[:, None]
        return self._labelled(rates, state, "neuron")

    def project_target(self, x: xr.DataArray | xr.Dataset) -> xr.DataArray:
        """Project data of the target on its own axes, beside which `transform` can be drawn.

        Parameters
        ----------
        x : DataArray or Dataset
            Tensor or condition average with the neurons of the target, in any order.

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
        check_fitted(self, "a source and a target")
        values = same_neurons(checked_values(x), self.target_loading_["neuron"])
        return self._labelled(self._target.project(flat(values)), values, "component")

    def to_dataset(self) -> xr.Dataset:
        """Give everything that was learnt, as a result.

        Returns
        -------
        Dataset
            Method ``"space_map"``: ``held_out_ratio`` and ``held_out_ratio_back`` with bounds,
            ``null_held_out_ratio (draw)``, ``p``; ``canonical_correlation (component)`` of the
            two spaces (of the data fitted to); loadings, means, ``matrix``, ``offset`` and those
            of the way back.

        Raises
        ------
        FitError
            If `fit` has not been called.
        """
        check_fitted(self, "a source and a target")
        return self.result_

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> SpaceMap:
        """Make the fitted estimator from what `to_dataset` gave.

        Parameters
        ----------
        dataset : Dataset
            From `to_dataset`, perhaps through a file.

        Returns
        -------
        SpaceMap
            Ready to transform.

        Raises
        ------
        TensorError
            If it is not such a result.
        """
        self = not_yet_restored(cls, dataset, "space_map")
        self.result_ = dataset
        self._read(dataset)
        return self

    def _fitted(self, sides: tuple[Side, Side], averages: list[Array]) -> dict[str, Any]:
        """Find spaces and maps from all samples known in both."""
        known = np.all([np.isfinite(values).all(axis=0) for values in averages], axis=0)
        matrices = [values[:, known] for values in averages]
        check_sizes(matrices, self.n_components, known.size)
        spaces = [space_of(matrix, self.n_components) for matrix in matrices]
        states = [space.project(matrix) for space, matrix in zip(spaces, matrices, strict=True)]
        there = fit_map(states[0], states[1], self.method)
        # A regression explains less than there is: its inverse would blow up the rest.
        back = fit_map(states[1], states[0], self.method)
        units = [{"units": str(side.average.attrs.get("units", "1"))} for side in sides]
        return {
            "source_loading": (("source_neuron", "source_component"), spaces[0].axes, _ONE),
            "source_mean": ("source_neuron", spaces[0].mean, units[0]),
            "target_loading": (("neuron", "component"), spaces[1].axes, _ONE),
            "target_mean": ("neuron", spaces[1].mean, units[1]),
            "matrix": (("component", "source_component"), there.matrix, _ONE),
            "offset": ("component", there.offset, units[1]),
            "matrix_back": (("source_component", "component"), back.matrix, _ONE),
            "offset_back": ("source_component", back.offset, units[0]),
            "canonical_correlation": ("component", canonical_correlations(*states), _ONE),
        }

    def _read(self, result: xr.Dataset) -> None:
        """Set what is learnt from the result."""
        renamed = {"source_neuron": "neuron", "source_component": "component"}
        source = result[["source_loading", "source_mean"]].drop_vars(
            ["neuron", "component"], errors="ignore"
        )
        source = source.rename(renamed)
        self.source_loading_, self.target_loading_ = (
            source["source_loading"], result["target_loading"],
        )  # fmt: skip
        self.matrix_ = result["matrix"]
        self._source = Space(source["source_mean"].to_numpy(), source["source_loading"].to_numpy())
        self._target = Space(result["target_mean"].to_numpy(), result["target_loading"].to_numpy())
        self._map = Map(result["matrix"].to_numpy(), result["offset"].to_numpy())
        self._back = Map(result["matrix_back"].to_numpy(), result["offset_back"].to_numpy())

    def _labelled(self, mapped: Array, like: xr.DataArray, dim: str) -> xr.DataArray:
        """Put labels on mapped states or rates (feature, sample)."""
        rest = [str(name) for name in like.dims[1:]]
        own = self.source_loading_["neuron"] if dim == "neuron" else self.matrix_["component"]
        coords = {
            name: coord for name, coord in like.coords.items() if like.dims[0] not in coord.dims
        }
        side = "source_mean" if dim == "neuron" else "target_mean"
        attrs = {**like.attrs, "units": str(self.result_[side].attrs["units"])}
        shape = (mapped.shape[0], *(like.sizes[name] for name in rest))
        return xr.DataArray(
            mapped.reshape(shape), dims=(dim, *rest), coords=coords | {dim: own.to_numpy()},
            attrs=attrs, name="rate" if dim == "neuron" else "state",
        )  # fmt: skip

    def _check_arguments(self) -> None:
        """Refuse arguments out of range."""
        if not isinstance(self.n_components, (int, np.integer)) or self.n_components < 1:
            message = f"n_components must be an integer of at least 1, found {self.n_components!r}"
            raise TensorError(message)
        if self.n_draws < 1:
            message = f"n_draws must be at least 1, found {self.n_draws}"
            raise TensorError(message)
        options = (
            ("method", self.method, METHODS), ("hold_out", self.hold_out, (*_BREAKS, None)),
            ("null", self.null, (*_BREAKS, None)),
        )  # fmt: skip
        for name, value, known in options:
            if value not in known:
                listed = ", ".join(map(repr, known))
                message = f"{name} is one of {listed}; found {value!r}"
                raise TensorError(message)
