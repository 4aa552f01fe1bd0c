"""Which neurons and trials can be decoded from: those observed throughout."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import FitError, warn

Index = NDArray[np.intp]


def complete_trials(
    tensor: xr.DataArray, labelled: NDArray[np.bool_], method: str, what: str
) -> tuple[Index, Index]:
    """Find the neurons and trials that take part, and say which do not.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Activity.
    labelled : ndarray of bool (trial,)
        Trials that have what is asked for.
    method, what : str
        What is done, and what trials must have: words of the messages.

    Returns
    -------
    neuron, trial : ndarray of int
        Positions; trials in the order of their ids, 2 before 10.

    Raises
    ------
    FitError
        If no trial is observed throughout.
    """
    chosen = np.flatnonzero(labelled)
    seen = np.zeros(tensor.sizes["neuron"], dtype=bool)
    throughout = np.zeros((len(seen), len(chosen)), dtype=bool)
    for neuron, own in enumerate(tensor.values):
        observed = np.isfinite(own)[:, chosen]
        seen[neuron], throughout[neuron] = observed.any(), observed.all(axis=0)
    complete = np.asarray(throughout[seen].all(axis=0))
    n_lacking = int((~labelled).sum())
    lacking = f"{n_lacking} of {labelled.size} trials have no {what}" if n_lacking else ""
    _say_left_out(tensor, lacking, seen, complete, method)
    if not seen.any() or not complete.any():
        raise FitError(_nothing_complete(tensor, throughout, seen, method))
    trial = chosen[complete]
    text = tensor["trial"].values[trial].astype(np.str_)
    return np.flatnonzero(seen), trial[np.lexsort((text, np.strings.str_len(text)))]


def chosen_values(values: NDArray[Any], neuron: Index, trial: Index) -> NDArray[Any]:
    """Give the values of some neurons and trials; all of them, in order, are not copied.

    Parameters
    ----------
    values : ndarray (neuron, time, trial)
        Activity.
    neuron, trial : ndarray of int
        Positions.

    Returns
    -------
    ndarray (time, trial, neuron)
    """
    if len(neuron) < len(values) or not np.array_equal(trial, np.arange(values.shape[2])):
        values = values[np.ix_(neuron, np.arange(values.shape[1]), trial)]
    return values.transpose(1, 2, 0)


def _say_left_out(
    tensor: xr.DataArray,
    unlabelled: str,
    seen: NDArray[np.bool_],
    complete: NDArray[np.bool_],
    method: str,
) -> None:
    """Warn about trials and neurons that do not take part."""
    lines = []
    if unlabelled:
        lines.append(unlabelled)
    if not seen.all():
        names = ", ".join(str(name) for name in tensor["neuron"].values[~seen][:5])
        lines.append(
            f"{int((~seen).sum())} of {seen.size} neurons were not observed in any bin ({names})"
        )
    if not complete.all():
        lines.append(
            f"{int((~complete).sum())} of {complete.size} labelled trials were not observed in "
            "every neuron and bin (NaN)"
        )
    if lines:
        message = f"{method} leaves out: {'; '.join(lines)}"
        warn(message)


def _nothing_complete(
    tensor: xr.DataArray, throughout: NDArray[np.bool_], seen: NDArray[np.bool_], method: str
) -> str:
    """Message for data without one complete trial: which neuron or bin to give up."""
    per_neuron = throughout.sum(axis=1)
    worst = ", ".join(
        f"{tensor['neuron'].values[index]} ({per_neuron[index]})"
        for index in np.argsort(per_neuron, kind="stable")[:5]
    )
    return (
        f"{method} needs trials observed in every neuron and bin; none of {throughout.shape[1]} "
        f"labelled trials is. Neurons with the fewest complete trials: {worst}, of "
        f"{int(seen.sum())} neurons. Leave neurons out with select(neurons=), shorten the window "
        "with select(time=), or pool neurons with pseudopopulation()"
    )
