"""Which activity belongs to the stimulus, which to the decision?  Demixed principal components.

Kobak et al. (2016), eLife 5:e10989: averages over a grid of factors are split into orthogonal
parts, and for each part a few encoders and decoders are found that rebuild it from the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from popdyn.analysis.dpca_fit import Settings, as_result, fit_grid
from popdyn.analysis.dpca_grid import make_grid
from popdyn.analysis.dpca_options import check_options, sizes
from popdyn.analysis.dpca_significance import check_components
from popdyn.analysis.dpca_terms import marginalizations
from popdyn.analysis.statespace_samples import (
    assumed_units,
    checked_values,
    same_neurons,
    same_units,
)
from popdyn.analysis.stored_estimator import check_fitted, not_yet_restored
from popdyn.analysis.trials import is_average, warn_unlabelled
from popdyn.errors import TensorError
from popdyn.resample import Seed, as_generator
from popdyn.tensor.contract import check
from popdyn.tensor.result import make_result


class DPCA(BaseEstimator):  # type: ignore[no-untyped-call]
    """Demixed principal components of a population.

    Parameters
    ----------
    factors : sequence of str, default ("stimulus", "decision")
        Trial columns (of a tensor) or variables of the conditions (of an average); any number.
        Every combination of their values must occur.
    n_components : int or mapping, default 3
        Components of each marginalization, or a mapping from their names to numbers.  An
        integer is cut to the dimensions a marginalization has.
    regularization : float, mapping or "cv", default 0.0
        ``lambda`` of the reference, a share of the total variance; a mapping from names of
        marginalizations to shares; or chosen on held-out trials.
    join : "time", mapping or None, default "time"
        Which parts are demixed together: each factor with its product with time; a mapping from
        names to terms such as ``["stimulus", "stimulus x time"]``; or None, every term on its
        own.  Terms that a mapping leaves out are in no marginalization.
    noise_covariance : {"full", "diagonal", "none"}, optional
        Covariance of the noise in the loss: of neurons recorded together, or of each neuron
        alone.  By default none with a given regularization and, with ``"cv"``, full for
        neurons recorded together and diagonal for neurons recorded apart: what the functions of
        the reference do by default.
    missing : {"refuse", "drop_neurons"}, default "refuse"
        What to do about neurons without a trial of some combination.
    tried : sequence of float, optional
        Regularizations to try; by default 26, whose ridge is 1e-8 to 1 of the total variance.
    n_folds : int, default 10
        How often one trial of every combination is held out.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Attributes
    ----------
    encoder_, decoder_ : DataArray (component, neuron)
        Encoders have length 1 and mostly positive entries.
    mean_ : DataArray (neuron)
        Mean over the grid, taken off before decoding.
    marginalization_ : DataArray (component)
        Name of each component's marginalization.
    explained_variance_ratio_ : DataArray (component)
        Share of the total variance of the averages that a component rebuilds; falling.
    regularization_ : DataArray (marginalization)
        What was used.
    result_ : Dataset
        What `to_dataset` gives.

    Notes
    -----
    Averages are means over a neuron's own trials, combinations count alike whatever their
    number of trials.  Held-out trials, noise and bounds use the trials in which a neuron was
    observed throughout the window.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> stimulus, decision = np.tile([1, 2, 3], 20), np.repeat([-1, 1], 30)
    >>> signal = np.outer(rng.normal(size=9), stimulus) + np.outer(rng.normal(size=9), decision)
    >>> values = signal[:, None, :] + rng.normal(size=(9, 10, 60))
    >>> trials = {"stimulus": stimulus, "decision": decision}
    >>> tensor = pdn.make_tensor(values, 0.1 * np.arange(10), trials, units="1")
    >>> dpca = pdn.DPCA(n_components=1).fit(tensor)
    >>> dpca.marginalization_.values[:2].tolist()
    ['decision', 'stimulus']
    >>> dict(dpca.transform(tensor).sizes)
    {'component': 4, 'time': 10, 'trial': 60}
    """

    encoder_: xr.DataArray
    decoder_: xr.DataArray
    mean_: xr.DataArray
    marginalization_: xr.DataArray
    explained_variance_ratio_: xr.DataArray
    regularization_: xr.DataArray
    result_: xr.Dataset

    def __init__(
        self,
        factors: Sequence[str] = ("stimulus", "decision"),
        n_components: int | Mapping[str, int] = 3,
        regularization: float | Mapping[str, float] | str = 0.0,
        *,
        join: str | Mapping[str, Sequence[str]] | None = "time",
        noise_covariance: str | None = None,
        missing: str = "refuse",
        tried: Sequence[float] | None = None,
        n_folds: int = 10,
        rng: Seed = 0,
    ) -> None:
        self.factors = factors
        self.n_components = n_components
        self.regularization = regularization
        self.join = join
        self.noise_covariance = noise_covariance
        self.missing = missing
        self.tried = tried
        self.n_folds = n_folds
        self.rng = rng

    def fit(self, x: xr.DataArray | xr.Dataset, y: None = None) -> DPCA:  # noqa: ARG002
        """Find the components.

        Parameters
        ----------
        x : DataArray or Dataset
            A tensor (neuron, time, trial) with the factors among its trial columns, or a
            condition average, which knows no trials: then without cross-validation, noise and
            bounds.
        y : None
            Not used; there because scikit-learn's manners have it.

        Returns
        -------
        DPCA
            Itself.

        Raises
        ------
        TensorError
            If a factor is unknown or has one level, a combination of levels is empty, or trials
            are needed and there are none.
        FitError
            If neurons lack a combination, bins are NaN, nothing varies, or there are too few
            trials to hold one out.

        Warns
        -----
        PopdynWarning
            When trials or neurons are left out, neurons never vary, or conditions have a single
            trial.
        """
        check_options(self.missing, self.noise_covariance, self.n_folds)
        generator, seed = as_generator(self.rng)
        grid = make_grid(x, self.factors, self.missing)
        if grid.cell is not None:
            warn_unlabelled(grid.cell, self.factors)
        chosen = marginalizations(list(grid.levels), self.join)
        # Many small eigenproblems: threads of the BLAS would only wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            variables = fit_grid(self._settings(), grid, chosen, generator)
        known = self.get_params()  # type: ignore[no-untyped-call]
        parameters = {name: value for name, value in known.items() if name != "rng"}
        result = as_result(variables, grid, chosen, parameters, seed)
        self._learn(result.assign_attrs(popdyn_class="analysis.dpca:DPCA", **assumed_units(x)))
        return self

    def _settings(self) -> Settings:
        """Give what the fit needs to know."""
        return Settings(
            self.n_components,
            self.regularization,
            self.noise_covariance,
            self.tried,
            self.n_folds,
        )

    def _learn(self, result: xr.Dataset) -> None:
        """Take what was learnt from a result."""
        self.encoder_, self.decoder_ = result["encoder"], result["decoder"]
        self.mean_ = result["mean"]
        self.marginalization_ = result["marginalization_of"]
        self.explained_variance_ratio_ = result["explained_variance_ratio"]
        self.regularization_ = result["regularization"]
        self.result_ = result

    def transform(self, x: xr.DataArray | xr.Dataset) -> xr.DataArray:
        """Decode a tensor or a condition average.

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
        values = same_neurons(checked_values(x), self.decoder_["neuron"])
        same_units(x, values, self.result_, self.mean_.attrs["units"])
        rest = [str(dim) for dim in values.dims if dim != "neuron"]
        state: xr.DataArray = xr.dot(self.decoder_, values - self.mean_, dim="neuron")
        state = state.transpose("component", *rest).rename("state")
        state.attrs = dict(values.attrs)
        return state

    def inverse_transform(self, state: xr.DataArray) -> xr.DataArray:
        """Give the rates that decoded components stand for.

        Parameters
        ----------
        state : DataArray
            With a ``component`` dimension, as from `transform`; some components (``state[:2]``)
            rebuild their share.

        Returns
        -------
        DataArray
            ``neuron`` in the place of ``component``.

        Raises
        ------
        TensorError
            If there is no such dimension, or it names unknown components.
        FitError
            If `fit` has not been called.
        """
        check_fitted(self)
        known = self.encoder_["component"].to_numpy()
        if not isinstance(state, xr.DataArray) or "component" not in state.dims:
            found = dict(state.sizes) if isinstance(state, xr.DataArray) else type(state).__name__
            message = f"expected states with a component dimension, found {found}"
            raise TensorError(message)
        own = state["component"].to_numpy()
        if "component" not in state.coords or not np.isin(own, known).all():
            message = (
                f"expected components of the fit (1 to {len(known)}) as coordinates, found "
                f"{own[:5].tolist()}: states come from transform"
            )
            raise TensorError(message)
        rest = [str(dim) for dim in state.dims if dim != "component"]
        encoder = self.encoder_.sel(component=own)
        values: xr.DataArray = xr.dot(encoder, state, dim="component") + self.mean_
        values = values.transpose("neuron", *rest).rename("rate")
        values.attrs = dict(state.attrs)
        return values

    def significance(
        self,
        x: xr.DataArray,
        *,
        n_components: int = 1,
        n_folds: int = 20,
        n_draws: int = 100,
        rng: Seed = 0,
    ) -> xr.Dataset:
        """Test when components of each marginalization tell its levels apart.

        Held-out trials are classified by the nearest mean of the training trials along each
        decoder, bin by bin; trials are shuffled among the levels for the null.
        As in the reference, decoders allow for the noise covariance unless it is ``"none"``.

        Parameters
        ----------
        x : DataArray
            The tensor that was fitted.
        n_components : int, default 1
            Components of each marginalization to test.
        n_folds : int, default 20
            How often one trial of every combination is held out, for the data and every draw.
        n_draws : int, default 100
            Shuffles.
        rng : int or numpy.random.Generator, default 0
            Seed or generator.

        Returns
        -------
        Dataset
            Method ``"dpca_significance"``: ``accuracy``, ``null_accuracy``, ``chance``, ``p``,
            ``p_corrected`` (for the number of bins) and ``above_every_shuffle`` (the rule of the
            reference) over ``(tested, time)``.

        Raises
        ------
        FitError
            If `fit` has not been called, or there are too few trials.
        TensorError
            If there are no trials, or the arguments are out of range.
        """
        check_fitted(self)
        if is_average(x):
            message = "significance needs trials: give it the tensor (neuron, time, trial)"
            raise TensorError(message)
        if min(n_components, n_folds) < 1 or n_draws < 1:
            message = (
                "expected n_components, n_folds and n_draws >= 1, found "
                f"{n_components}, {n_folds}, {n_draws}"
            )
            raise TensorError(message)
        grid = make_grid(same_neurons(check(x), self.mean_["neuron"]), self.factors, "refuse")
        chosen = marginalizations(list(grid.levels), self.join)
        wanted = sizes(self.n_components, chosen, grid.averages.shape)
        generator, seed = as_generator(rng)
        with threadpool_limits(limits=1, user_api="blas"):
            variables = check_components(
                grid,
                chosen,
                [min(n_components, size) for size in wanted],
                self.regularization_.to_numpy().tolist(),
                self._settings(),
                n_folds=n_folds,
                n_draws=n_draws,
                rng=generator,
            )
        return make_result(
            variables,
            coords={"time": grid.coords()["time"]},
            method="dpca_significance",
            parameters={"n_components": n_components, "n_folds": n_folds, "n_draws": n_draws},
            source=grid.source,
            seed=seed,
        )

    def to_dataset(self) -> xr.Dataset:
        """Give everything that was learnt, as a result.

        Returns
        -------
        Dataset
            Method ``"dpca"``: ``encoder``, ``decoder``, ``mean``, ``trajectory``, the
            explained variances, the axes' ``encoder_overlap`` and ``state_correlation``; with
            trials the ``noise_ratio``, ``signal_ratio`` and bounds; of a cross-validation its
            errors.

        Raises
        ------
        FitError
            If `fit` has not been called.
        """
        check_fitted(self)
        return self.result_

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> DPCA:
        """Make the fitted estimator from what `to_dataset` gave.

        Parameters
        ----------
        dataset : Dataset
            From `to_dataset`, perhaps through a file.

        Returns
        -------
        DPCA
            Ready to transform.

        Raises
        ------
        TensorError
            If it is not such a result.
        """
        self = not_yet_restored(cls, dataset, "dpca")
        self._learn(dataset)
        return self
