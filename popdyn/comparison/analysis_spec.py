"""Which analyses a comparison runs, and with what settings: the tables under ``[analyses]``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, model_validator

from popdyn.comparison.fields import (
    Count,
    CrossValidated,
    Flag,
    Names,
    Positive,
    Regressors,
    Table,
    Window,
)
from popdyn.comparison.low_rank_spec import Context, Inactivation, LowRankFit, Populations
from popdyn.comparison.perceived_spec import Behavior, Estimation, Kinet
from popdyn.comparison.selectivity_spec import MixedSelectivity, Selectivity

Folds = Annotated[int, Strict(), Field(ge=2)]
Draws = Annotated[int, Strict(), Field(ge=0)]


class Raster(Table):
    """Spike raster of one neuron per source; it has no settings of its own."""


class ConditionAverage(Table):
    """Condition averages; bins with fewer than ``min_trials`` trials are left out."""

    min_trials: Count = 1


class StateSpace(Table):
    """PCA of the condition averages."""

    n_components: Count = 3
    n_splits: Count = 100
    n_draws: Count = 200


class Distance(Table):
    """Distance of every condition to a reference condition over time.

    ``reference`` is the label of a condition; None takes the first.
    """

    reference: str | None = None
    n_draws: Count = 500


class Decoding(Table):
    """Linear decoding of a trial variable; ``label`` None takes the first of ``by``."""

    label: str | None = None
    groups: Names | None = None
    n_folds: Folds = 5
    n_draws: Count = 200
    regularization: Positive = 1.0


class Quantity(Table):
    """Ridge decoding of a trial column of numbers."""

    label: str
    groups: Names | None = None
    n_folds: Folds = 5
    n_draws: Count = 200
    regularization: CrossValidated = "cv"


class Generalization(Table):
    """Decoders of every bin tested in every bin; ``label`` None takes the first of ``by``."""

    label: str | None = None
    groups: Names | None = None
    n_folds: Folds = 5
    n_draws: Count = 200
    regularization: Positive = 1.0


class Encoding(Table):
    """Regression of every neuron in every bin; ``regressors`` None takes the columns of ``by``.

    ``n_draws`` None is 200 for the Gaussian family, and no test of clusters for counts.
    """

    regressors: Regressors | None = None
    family: Literal["gaussian", "poisson", "negative_binomial"] = "gaussian"
    regularization: CrossValidated = 0.0
    robust: Flag | Literal["HC1", "HC3"] = False
    n_folds: Draws = 5
    n_draws: Draws | None = None
    levels: dict[str, list[Any]] | None = None


class Demixing(Table):
    """Demixed principal components; ``factors`` None takes the columns of ``by``.

    Attributes
    ----------
    n_folds : int
        Folds of the cross-validated regularization.
    n_test_folds, n_draws : int
        How often trials are held out in the test of the components, and its shuffles; without
        shuffles there is no test.
    """

    factors: Names | None = None
    n_components: Count | dict[str, Draws] = 3
    regularization: CrossValidated = "cv"
    noise_covariance: Literal["full", "diagonal", "none"] | None = None
    missing: Literal["refuse", "drop_neurons"] = "refuse"
    n_folds: Count = 10
    n_test_folds: Count = 20
    n_draws: Draws = 100


class TaskAxes(Table):
    """Axes of trial columns (TDR); ``regressors`` None takes the columns of ``by``.

    Attributes
    ----------
    by : tuple of str or None
        Columns of the averages that coefficients are denoised in; None takes the regressors'.
    axes : tuple of str or None
        Regressors that get an axis, in the order in which they are made orthogonal.
    at : dict or None
        Windows (s) of regressors; None takes the bin of the largest norm.
    """

    regressors: Regressors | None = None
    by: Names | None = None
    axes: Names | None = None
    at: dict[str, Window] | None = None
    n_components: Count | Literal["cv"] | None = "cv"
    n_splits: Count = 10
    n_draws: Count = 500
    levels: dict[str, list[Any]] | None = None


class Timescale(Table):
    """Intrinsic timescales, in a part of the window; None takes all of it.

    ``by`` None subtracts the averages of the conditions of the comparison.
    """

    window: Window | None = None
    by: Names | None = None
    max_lag: Positive | None = None
    noise: Literal["poisson", "free", "none"] | None = None
    n_draws: Count = 500


class Overlap(Table):
    """How far the subspaces of two epochs, or of two areas, overlap: one of the two.

    Attributes
    ----------
    epochs : dict or None
        Two names with their windows (s), of the same neurons.
    areas : str or None
        Neuron column whose two values are compared by their courses over time and conditions.
    between : tuple of str or None
        Which two values, of a column that has more.
    """

    epochs: dict[str, Window] | None = None
    areas: str | None = None
    between: Names | None = None
    n_components: Count = 3
    n_splits: Count = 20
    n_draws: Count = 1000

    @model_validator(mode="after")
    def _one_pair(self) -> Self:
        if (self.epochs is None) == (self.areas is None):
            message = (
                "compares two epochs or two areas: give epochs = {name = [start, stop], name = "
                '[start, stop]} or areas = "column of the neurons", one of them'
            )
            raise ValueError(message)
        for name, named in (("epochs", self.epochs), ("between", self.between)):
            if named is not None and len(set(named)) != 2:
                message = f"{name} should name two, found {len(set(named))}"
                raise ValueError(message)
        if self.between is not None and self.areas is None:
            message = "between names two areas: give areas, the column of the neurons, too"
            raise ValueError(message)
        return self


class Analyses(Table):
    """The analyses to run, each with its settings; an absent one is not run."""

    raster: Raster | None = None
    condition_average: ConditionAverage | None = None
    encoding: Encoding | None = None
    selectivity_test: Selectivity | None = None
    mixed_selectivity: MixedSelectivity | None = None
    pca: StateSpace | None = None
    dpca: Demixing | None = None
    tdr: TaskAxes | None = None
    subspace_overlap: Overlap | None = None
    relative_distance: Distance | None = None
    behavior: Behavior | None = None
    kinet: Kinet | None = None
    estimation_test: Estimation | None = None
    decode: Decoding | None = None
    decode_quantity: Quantity | None = None
    temporal_generalization: Generalization | None = None
    timescale: Timescale | None = None
    fit_lowrank: LowRankFit | None = None
    populations: Populations | None = None
    flow: Context | None = None
    effective_couplings: Context | None = None
    inactivate: Inactivation | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.names:
            known = ", ".join(type(self).model_fields)
            message = f"names no analysis: write at least one of {known}, as 'pca = {{}}'"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _of_populations(self) -> Self:
        asked = [
            name for name in ("flow", "effective_couplings", "inactivate") if name in self.names
        ]
        if asked and self.populations is None:
            message = (
                f"{asked[0]} is of the populations that the step populations finds: ask for both, "
                f"as 'populations = {{}}' and '{asked[0]} = {{}}'"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.estimation_test is None:
            return self
        if self.behavior is None or self.kinet is None:
            message = (
                "estimation_test compares the distances of kinet with the estimates of behavior: "
                "ask for both, as 'behavior = {}' and 'kinet = {}'"
            )
            raise ValueError(message)
        if self.behavior.n_draws != self.kinet.n_draws:
            message = (
                f"estimation_test draws trials of behavior and of activity together, but "
                f"behavior.n_draws is {self.behavior.n_draws} and kinet.n_draws is "
                f"{self.kinet.n_draws}: give both the same"
            )
            raise ValueError(message)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The analyses that were asked for, in the order of the report."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def windows(self) -> dict[str, tuple[float, float]]:
        """The windows (s) within that of the alignment, by their keys."""
        windows = {}
        if self.kinet is not None and self.kinet.mean_over is not None:
            windows["kinet.mean_over"] = self.kinet.mean_over
        for name in ("selectivity_test", "mixed_selectivity", "timescale"):
            settings = getattr(self, name)
            if settings is not None and settings.window is not None:
                windows[f"{name}.window"] = settings.window
        if self.subspace_overlap is not None:
            for name, window in (self.subspace_overlap.epochs or {}).items():
                windows[f"subspace_overlap.epochs.{name}"] = window
        if self.fit_lowrank is not None:
            for name, window in (self.fit_lowrank.inputs or {}).items():
                windows[f"fit_lowrank.inputs.{name}"] = window
        for name in ("flow", "effective_couplings"):
            context = getattr(self, name)
            if context is not None and context.during is not None:
                windows[f"{name}.during"] = context.during
        return windows
