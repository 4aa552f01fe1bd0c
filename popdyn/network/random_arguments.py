"""What random networks of both kinds ask of their arguments, before anything is drawn."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from popdyn.errors import TensorError
from popdyn.network.real_numbers import real_number

_BYTES = 8
# The weights drawn, and the copy that the network keeps.
_N_COPIES = 2


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuse sizes that are no whole numbers above zero.

    Raises
    ------
    TensorError
        Naming the size.
    """
    for name, size in sizes.items():
        is_whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
        if not is_whole or size < 1:
            message = f"{name} must be a whole number of at least 1, found {size!r:.60}"
            raise TensorError(message)


def check_excitatory(excitatory: float | None, n_neurons: int) -> None:
    """Refuse a share that leaves one side without neurons.

    Raises
    ------
    TensorError
        If it does, or is no number.
    """
    if excitatory is None:
        return
    expected = "the share of excitatory neurons, a number between 0 and 1"
    share = real_number("excitatory", excitatory, expected)
    if not 0 < round(share * n_neurons) < n_neurons:
        message = (
            "excitatory is the share of excitatory neurons, between 0 and 1, with at least one "
            f"neuron on each side; found {excitatory!r} of {n_neurons} neurons"
        )
        raise TensorError(message)


def check_memory(sizes: Mapping[str, int], n_recurrent: float, advice: str) -> None:
    """Refuse a network that the machine has no memory for.

    Parameters
    ----------
    sizes : mapping
        ``n_neurons``, ``n_inputs``, ``n_outputs``.
    n_recurrent : float
        Numbers that the recurrent weights are stored in.
    advice : str
        What else to do than to draw fewer neurons.

    Raises
    ------
    TensorError
        With the size; nothing was allocated.
    """
    n_neurons, n_inputs, n_outputs = (int(size) for size in sizes.values())
    wanted = _N_COPIES * _BYTES * (n_recurrent + n_neurons * (n_inputs + n_outputs))
    there = _memory()
    if there is not None and wanted > there:
        message = (
            f"the weights of {n_neurons} neurons ({n_inputs} inputs, {n_outputs} outputs) take "
            f"{wanted / 1e9:.3g} GB, drawn and copied, and this machine has {there / 1e9:.3g} GB: "
            f"use fewer neurons{advice}"
        )
        raise TensorError(message)


def _memory() -> int | None:
    """Return the bytes of memory of the machine, where the system tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
