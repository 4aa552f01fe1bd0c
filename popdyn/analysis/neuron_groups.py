"""Names of neurons' groups, as someone gives them: a result, a labelled array or plain names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn

_SHOWN = 5


def groups_of(groups: Any, neurons: NDArray[Any]) -> NDArray[np.str_]:
    """Return the name of each neuron's group; "" of neurons without one.

    Parameters
    ----------
    groups : Dataset, DataArray, Series or array, shape (n_neurons,)
        A result with ``label (neuron)``, names, or whole numbers.  What has a coordinate
        ``neuron``, or an index, is taken by id (compared as text), everything else by position.
        Neurons whose name is ``""``, None or NaN have no group.
    neurons : ndarray
        Ids of the neurons that are asked for.

    Returns
    -------
    ndarray of str, shape (n_neurons,)

    Raises
    ------
    TensorError
        If there is not one name for each neuron, ids are missing or there twice, or no neuron
        has a group.

    Warns
    -----
    PopdynWarning
        If neurons have no group.

    Examples
    --------
    >>> import xarray as xr
    >>> groups = xr.DataArray(["a", "b"], dims="neuron", coords={"neuron": [7, 5]})
    >>> groups_of(groups, np.array([5, 7])).tolist()
    ['b', 'a']
    """
    if isinstance(groups, xr.Dataset):
        if "label" not in groups:
            found = ", ".join(map(str, groups.data_vars)) or "nothing"
            message = (
                f"groups must be a result with label (neuron), found a Dataset with {found:.80}: "
                'give a result of popdyn.selectivity_test(..., method="cluster"), or names'
            )
            raise TensorError(message)
        groups = groups["label"]
    if isinstance(groups, pd.Series):
        groups = xr.DataArray(
            groups.to_numpy(), dims=("neuron",), coords={"neuron": groups.index.to_numpy()}
        )
    if (
        isinstance(groups, xr.DataArray)
        and groups.dims == ("neuron",)
        and "neuron" in groups.coords
    ):
        groups = _by_id(groups, neurons)
    # As objects: NumPy would turn NaN beside names into text.
    array = np.asarray(groups, dtype=object)
    names = [_name(value) for value in array.ravel()] if array.shape == neurons.shape else [None]
    if None in names:
        message = (
            f"groups must be one name or whole number for each of the {neurons.size} neurons, or "
            f"a result with their label; found shape {array.shape} of type "
            f"{np.asarray(groups).dtype}"
        )
        raise TensorError(message)
    label = np.array(names, dtype=np.str_)
    _say_without(neurons[label == ""], neurons.size)
    return label


def _by_id(groups: xr.DataArray, neurons: NDArray[Any]) -> NDArray[Any]:
    """Bring groups into the order of the neurons.

    Raises
    ------
    TensorError
        If neurons are missing, or there twice.
    """
    own = pd.Index([str(name) for name in groups["neuron"].values])
    wanted = [str(name) for name in neurons]
    twice = own[own.duplicated()].intersection(wanted)
    if twice.size:
        message = (
            f"groups have {twice.size} neurons more than once ({_some(twice)}): choose those of "
            "one source"
        )
        raise TensorError(message)
    own, values = own[~own.duplicated()], groups.values[~own.duplicated()]
    place = own.get_indexer(pd.Index(wanted))
    missing = neurons[place < 0]
    if missing.size:
        message = (
            f"groups have no neuron {_some(missing)} ({missing.size} of the {neurons.size} of the "
            f"tensor), theirs are {_some(own)}: give groups of the same neurons or, if only "
            "the order is the same, their values alone"
        )
        raise TensorError(message)
    return np.asarray(values[place])


def _name(value: Any) -> str | None:
    """Return the name of a group, "" for a missing one, None for what cannot be a name."""
    if isinstance(value, str):
        return str(value)
    if np.ndim(value) == 0 and pd.isna(value):
        return ""
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if float(value).is_integer() else None
    return str(value) if isinstance(value, (bool, int, np.bool_, np.integer)) else None


def _say_without(neurons: NDArray[Any], n_neurons: int) -> None:
    """Warn of neurons that have no group.

    Raises
    ------
    TensorError
        If none has.
    """
    if neurons.size == n_neurons:
        message = f"none of the {n_neurons} neurons has a group: all names are empty"
        raise TensorError(message)
    if neurons.size:
        warn(
            f"{neurons.size} of {n_neurons} neurons have no group, and are left out of groups: "
            f"{_some(neurons)}"
        )


def _some(names: Any) -> str:
    shown = ", ".join(str(name) for name in names[:_SHOWN])
    return shown + (", ..." if len(names) > _SHOWN else "")
