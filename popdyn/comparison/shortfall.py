"""What a source lacks for an analysis: a sentence that stands in place of its numbers."""

from __future__ import annotations

from collections.abc import Iterator

from popdyn.analysis.design_columns import refuse_unknown_names
from popdyn.comparison.agreement import conditions_of
from popdyn.comparison.sources import Prepared, blaming
from popdyn.comparison.spec import Spec
from popdyn.comparison.summary import trials_observed
from popdyn.tensor.contract import column_names
from popdyn.tensor.selection import find_column
from popdyn.tensor.view import group_conditions

# Below these a number would say more about the sample than about the brain.
PCA_NEURONS = 10
PCA_TRIALS = 4
DPCA_NEURONS = 10
SELECTIVITY_NEURONS = 10
DISTANCE_TRIALS = 10
FIT_CONDITIONS = 4
_IN_CONDITION = " in the smallest condition"


def shortfall(source: Prepared, analysis: str, spec: Spec) -> str:
    """Say what a source lacks for an analysis.

    Parameters
    ----------
    source : Prepared
        The source, matched.
    analysis : str
        A key of ``[analyses]``, or "summary".
    spec : Spec
        The whole spec.

    Returns
    -------
    str
        Empty if it has enough.

    Raises
    ------
    TensorError
        If a column that the spec names is unknown: that is a mistake in the spec.
    """
    if analysis == "pca":
        few = _too_few("PCA", source.tensor.sizes["neuron"], PCA_NEURONS, "neuron")
        return few or _too_few("PCA", _smallest(source, spec), PCA_TRIALS, "trial", _IN_CONDITION)
    if analysis in ("relative_distance", "kinet"):
        if len(conditions_of(source, spec.conditions.by)) < 2:
            return "a distance needs two conditions, found one"
        n_trials = _smallest(source, spec)
        return _too_few("distances", n_trials, DISTANCE_TRIALS, "trial", _IN_CONDITION)
    if analysis == "dpca":
        return _too_few("demixing", source.tensor.sizes["neuron"], DPCA_NEURONS, "neuron")
    if analysis == "selectivity_test":
        n_neurons = source.tensor.sizes["neuron"]
        return _too_few("a test of selectivity", n_neurons, SELECTIVITY_NEURONS, "neuron")
    if analysis == "fit_lowrank":
        settings = spec.analyses.fit_lowrank
        by = (settings.by if settings else None) or spec.conditions.by
        n_conditions = len(conditions_of(source, by))
        if n_conditions < FIT_CONDITIONS:
            return (
                f"too few conditions to predict held-out ones: {n_conditions}, a low-rank fit "
                f"needs {FIT_CONDITIONS}; average by more columns with fit_lowrank.by"
            )
    if analysis in ("decode", "temporal_generalization"):
        return _too_few_to_decode(source, analysis, spec)
    return ""


def decoded_label(spec: Spec, analysis: str = "decode") -> str:
    """Name the trial column that is decoded."""
    settings = getattr(spec.analyses, analysis)
    return (settings.label if settings else None) or spec.conditions.by[0]


def check_columns(source: Prepared, analysis: str, spec: Spec) -> None:
    """Refuse a column that a source does not have: that is a mistake in the spec.

    Raises
    ------
    TensorError
        Naming the source, the column, the nearest one and those there are.
    """
    with blaming(source.id):
        for name in _columns(source, analysis, spec):
            find_column(source.tensor, "trial", name)


def _columns(source: Prepared, analysis: str, spec: Spec) -> Iterator[str]:
    """Give the trial columns that the settings of an analysis name, those of a formula, too."""
    settings = getattr(spec.analyses, analysis, None)
    for key in ("label", "groups", "factors", "by", "sets", "inputs", "regressors"):
        named = getattr(settings, key, None) or ()
        if key == "regressors" and isinstance(named, str):
            known = [*column_names(source.tensor, "trial"), "trial"]
            if not {part.strip() for part in named.split(":")} <= {*known}:
                refuse_unknown_names(named, known)
                named = []
        for name in [named] if isinstance(named, str) else named:
            yield from (part.strip() for part in name.split(":")) if key == "regressors" else [name]


def _smallest(source: Prepared, spec: Spec) -> int:
    return int(trials_observed(source.tensor, spec.conditions.by).min())


def _too_few_to_decode(source: Prepared, analysis: str, spec: Spec) -> str:
    label = decoded_label(spec, analysis)
    with blaming(source.id):
        classes = group_conditions(source.tensor, label)
    if len(classes.labels) < 2:
        return f"decoding needs two values of {label!r}, found one ({classes.labels[0]})"
    settings = getattr(spec.analyses, analysis)
    n_folds = settings.n_folds if settings else 2
    smallest = int(trials_observed(source.tensor, (label,)).min())
    return _too_few("decoding", smallest, n_folds, "trial", " in the smallest class")


def _too_few(analysis: str, found: int, needed: int, noun: str, where: str = "") -> str:
    if found >= needed:
        return ""
    counted = f"{found} {noun}{'' if found == 1 else 's'}{where}"
    return f"too few neurons or trials for {analysis}: {counted}, needs {needed}"
