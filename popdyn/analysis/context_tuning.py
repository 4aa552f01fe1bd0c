"""How steeply neurons follow stimuli in each context, and by how much contexts turn that up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.design import make_design, refuse_collinear
from popdyn.analysis.design_columns import is_categorical
from popdyn.analysis.epoch_mean import epoch_mean
from popdyn.analysis.group_draws import group_weights, ratio, weighted_mean, widened_bounds
from popdyn.analysis.least_squares import fit_least_squares
from popdyn.analysis.neuron_groups import groups_of
from popdyn.analysis.shared_noise import slope_noise, widened_by_sharing
from popdyn.errors import TensorError, warn
from popdyn.resample import BOUND, Seed, as_generator
from popdyn.simulation.arguments import check_whole
from popdyn.tensor.contract import bin_width_of, check, column_names
from popdyn.tensor.result import make_result
from popdyn.tensor.roles import assign_roles
from popdyn.tensor.view import Conditions, group_conditions, trial_table

Array = NDArray[np.float64]


def context_tuning(
    tensor: xr.DataArray,
    stimuli: Sequence[str],
    by: str | Sequence[str] = "context",
    *,
    groups: Any = None,
    window: tuple[float, float] | None = None,
    n_draws: int = 1000,
    roles: Mapping[str, Any] | None = None,
    rng: Seed = 0,
) -> xr.Dataset:
    """Measure tuning to stimuli in each context, of neurons and of groups of them.

    A low-rank network that computes by context turns the gains of whole populations up and down
    (see ``pdn.dynamics.population_gains``).  In a recording gains cannot be seen, but slopes of
    rates over stimuli can: of a cluster of neurons they should change together.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates, counts or potentials.  A NaN trial is left out of its neuron only.
    stimuli : sequence of str
        Columns of numbers; slopes are those of one regression on all of them.
    by : str or list of str
        Columns of the trials: contexts are their combinations.  The first of them, to which the
        others are compared, is the first in sorted order; of a role with a value map, the first
        of the map: ``roles={"context": {"column": "rule", "values": {"motion": "motion",
        "color": "color"}}}``.
    groups : Dataset, DataArray, Series or array, shape (n_neurons,), optional
        Name of each neuron's group, or a result with ``label (neuron)``; by default one group.
        What has a coordinate ``neuron`` or an index is taken by id, arrays by position.
        Neurons whose name is ``""``, None or NaN are in no group.
    window : (start, stop), optional
        Epoch in s over which activity is averaged; all bins by default.
    n_draws : int
        Draws of neurons, within groups, and of noise, for the bounds.
    roles : mapping, optional
        As for `popdyn.trial_table`.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    Dataset
        Method ``"context_tuning"``.  ``slope (neuron, stimulus, condition)``, in the unit of the
        activity (counts: Hz) per unit of the stimulus, with ``slope_error``; ``tuning (group,
        stimulus, condition)``, the root mean square slope without what the errors add, and
        ``tuning_ratio``, to that in the first condition; ``gain_ratio (group, stimulus,
        condition)``, by which the slopes of the first condition are multiplied, with its sign.
        Each of these has a ``_bound (bound, ...)``, 95 % over neurons and, where these were
        recorded together, over the noise that they share; NaN for a group of a single neuron.
        Ratios are NaN where the first condition has no tuning beyond its errors.
        ``label (neuron)``, ``""`` for those in no group, ``n_neurons (group)``.

    Raises
    ------
    TensorError
        If columns are unknown, stimuli are no numbers or do not vary independently within a
        context, there is no group for each neuron, bins of the window were never observed, or no
        neuron can be fitted.

    Warns
    -----
    PopdynWarning
        If neurons are left out, as they cannot be fitted in each context or have no group, or
        trials, which have no context.

    References
    ----------
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> motion, context = np.tile([-1.0, 1.0], 40), np.repeat(["color", "motion"], 40)
    >>> gain = np.where(context == "motion", 3.0, 1.0)
    >>> values = 20 + rng.normal(size=(30, 1, 1)) * gain * motion + rng.normal(size=(30, 1, 80))
    >>> tensor = pdn.make_tensor(values, [0.0], {"motion": motion, "context": context},
    ...                          bin_width=0.1)
    >>> result = pdn.context_tuning(tensor, ["motion"], n_draws=100)
    >>> result["gain_ratio"].values.round(1).ravel().tolist()
    [1.0, 3.0]
    """
    tensor = check(tensor if roles is None else assign_roles(tensor, roles))
    tensor = epoch_mean(tensor, window)
    names = [stimuli] if isinstance(stimuli, str) else [str(name) for name in stimuli]
    check_whole("n_draws", n_draws, "draw of neurons")
    conditions = group_conditions(tensor, by)
    lost = int((conditions.index < 0).sum())
    if lost:
        warn(f"{lost} of {conditions.index.size} trials have no value of {by!r}, and are left out")
    _refuse_classes(tensor, names)
    ids = tensor["neuron"].values
    label = np.full(ids.size, "all") if groups is None else groups_of(groups, ids)
    generator, seed = as_generator(rng)
    slope, error, noise = _slopes(tensor, names, conditions, n_draws, generator)
    known = _known(tensor, slope, error) & (label != "")
    if not known.any():
        message = "no neuron that has a group can be fitted in each context"
        raise TensorError(message)
    group_names, of_neuron = np.unique(label[known], return_inverse=True)
    table = ("neuron", "stimulus", "condition")
    unit = _unit(tensor)
    variables: dict[str, Any] = {
        "slope": (table, slope, unit),
        "slope_error": (table, error, unit),
        "label": ("neuron", label),
        "n_neurons": ("group", np.bincount(of_neuron)),
    }
    dims = ("group", "stimulus", "condition")
    shared = noise[:, known] if tensor.attrs["simultaneous"] else None
    measures = _measures(slope[known], error[known], shared, of_neuron, n_draws, generator)
    for name, draws in measures.items():
        own = unit if name == "tuning" else {"units": "1"}
        variables[name] = (dims, draws[0], own)
        variables[f"{name}_bound"] = (
            ("bound", *dims),
            widened_bounds(draws, np.bincount(of_neuron)),
            own,
        )
    return make_result(
        variables,
        coords={
            **{key: tensor[key] for key in ("neuron", *column_names(tensor, "neuron"))},
            "group": group_names,
            "stimulus": names,
            "condition": conditions.labels,
            "bound": BOUND,
        },
        method="context_tuning",
        parameters={"stimuli": names, "by": by, "window": window, "n_draws": n_draws},
        source=tensor,
        seed=seed,
    )


def _unit(tensor: xr.DataArray) -> dict[str, str]:
    unit = "Hz" if tensor.name == "spike_count" else str(tensor.attrs["units"])
    return {"units": f"{unit} per unit of the stimulus"}


def _refuse_classes(tensor: xr.DataArray, names: list[str]) -> None:
    """Refuse stimuli that are no numbers.

    Raises
    ------
    TensorError
        Naming the first.
    """
    table = trial_table(tensor)
    for name in dict.fromkeys(part.strip() for stimulus in names for part in stimulus.split(":")):
        if name in table and is_categorical(table[name]):
            values = ", ".join(map(repr, table[name].unique()[:3].tolist()))
            message = (
                f"stimuli must be columns of numbers, over which rates have a slope; {name!r} has "
                f"{values}: assign a column of numbers, or give classes to popdyn.mixed_selectivity"
            )
            raise TensorError(message)


def _slopes(
    tensor: xr.DataArray,
    names: list[str],
    conditions: Conditions,
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Return slopes, their errors ``(neuron, stimulus, condition)`` and draws of their noise.

    Raises
    ------
    TensorError
        If stimuli do not vary independently within a condition.
    """
    scale = 1.0 / bin_width_of(tensor) if tensor.name == "spike_count" else 1.0
    slopes, errors, noise = [], [], []
    for number, label in enumerate(conditions.labels):
        part = tensor.isel(trial=np.flatnonzero(conditions.index == number))
        try:
            design = make_design(part, names)
            refuse_collinear(design)
        except TensorError as problem:
            message = f"tuning in condition {label!r}: {problem}"
            raise TensorError(message) from problem
        fit = fit_least_squares(part.values, design)
        slopes.append(scale * fit.coefficient[:-1, :, 0].T)
        errors.append(scale * fit.standard_error[:-1, :, 0].T)
        noise.append(scale * slope_noise(part.values, design, fit, n_draws, rng))
    slope, error, drawn = (np.stack(parts, axis=-1) for parts in (slopes, errors, noise))
    return slope, error, drawn


def _known(tensor: xr.DataArray, slope: Array, error: Array) -> NDArray[np.bool_]:
    """Return which neurons can be fitted in each context; say which cannot.

    Raises
    ------
    TensorError
        If none can.
    """
    known = np.asarray(np.isfinite(slope).all(axis=(1, 2)) & np.isfinite(error).all(axis=(1, 2)))
    lost = tensor["neuron"].values[~known]
    if not known.any():
        message = "no neuron was observed on enough trials of each context to tell its slopes"
        raise TensorError(message)
    if lost.size:
        warn(
            f"{lost.size} of {known.size} neurons have too few trials in a context, and are left "
            f"out of groups: {', '.join(map(str, lost[:5]))}{', ...' if lost.size > 5 else ''}"
        )
    return known


def _measures(
    slope: Array,
    error: Array,
    noise: Array | None,
    of_neuron: NDArray[np.intp],
    n_draws: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Return measures ``(1 + draw, group, stimulus, condition)``, the estimates first."""
    found: dict[str, list[Array]] = {}
    for own, weights in group_weights(of_neuron, n_draws, rng):
        here, square = slope[own], error[own] ** 2
        measures = _measured(np.broadcast_to(here, (len(weights), *here.shape)), square, weights)
        if noise is not None:
            alone = error[own] * rng.standard_normal(noise[:, own].shape)
            # Noise that is drawn adds to that of the slopes: twice their errors come off.
            shared, private = (
                _measured(np.concatenate([here[None], here + drawn]), 2 * square, weights[:1])
                for drawn in (noise[:, own], alone)
            )
            measures = {
                name: widened_by_sharing(draws, shared[name], private[name])
                for name, draws in measures.items()
            }
        for name, draws in measures.items():
            found.setdefault(name, []).append(draws)
    return {name: np.stack(groups, axis=1) for name, groups in found.items()}


def _measured(slope: Array, square: Array, weights: Array) -> dict[str, Array]:
    """Measure draws of slopes ``(draw, neuron, stimulus, condition)`` of squared errors."""
    weights = np.broadcast_to(weights, slope.shape[:2])
    tuned = weighted_mean(slope**2 - square, weights)
    tuning = np.sqrt(np.maximum(tuned, 0.0))
    # Errors in two contexts are of different trials: their product is 0 on average.
    gain = ratio(weighted_mean(slope * slope[..., :1], weights), tuned[..., :1])
    gain[..., 0] = np.where(np.isfinite(gain[..., 0]), 1.0, np.nan)
    return {"tuning": tuning, "tuning_ratio": ratio(tuning, tuning[..., :1]), "gain_ratio": gain}
