"""Design of a factorial experiment: every combination of the factors' levels has its mean."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import xarray as xr

from popdyn.analysis.design import Design, make_design, refuse_collinear
from popdyn.errors import TensorError, warn
from popdyn.tensor.view import group_conditions

# More levels than that are a number, not a category.
_MOST_LEVELS = 12


def complete_trials(tensor: xr.DataArray, names: list[str]) -> xr.DataArray:
    """Select the trials that have a level of each factor, and say how many have not.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Checked.
    names : list of str
        Trial columns.

    Returns
    -------
    DataArray (neuron, time, trial)

    Raises
    ------
    TensorError
        If a column is unknown.

    Warns
    -----
    PopdynWarning
        If trials are left out.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> trials = {"a": [0, 1, 0, 1, 0], "b": [0, 0, 1, 1, 1]}
    >>> tensor = pdn.make_tensor(np.ones((1, 1, 5)), [0.0], trials, bin_width=0.1)
    >>> complete_trials(tensor, ["a", "b"]).sizes["trial"]
    5
    """
    there = {name: group_conditions(tensor, name).index >= 0 for name in names}
    known = np.all(list(there.values()), axis=0)
    if known.all():
        return tensor
    lacking = ", ".join(name for name, own in there.items() if not own.all())
    warn(
        f"{int((~known).sum())} of {known.size} trials have no value of {lacking}, and are left out"
    )
    return tensor.isel(trial=np.flatnonzero(known))


def factorial_design(tensor: xr.DataArray, names: list[str]) -> Design:
    """Return the design of all factors and their interactions.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        All trials have a level of each factor.
    names : list of str
        Trial columns.

    Returns
    -------
    Design
        Sum coding; terms are ``"a"``, ``"b"``, ``"a:b"``, ...

    Raises
    ------
    TensorError
        If a factor has one value, or many, or combinations of levels are missing.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> trials = {"a": [0, 1, 0, 1, 0], "b": [0, 0, 1, 1, 1]}
    >>> tensor = pdn.make_tensor(np.ones((1, 1, 5)), [0.0], trials, bin_width=0.1)
    >>> factorial_design(tensor, ["a", "b"]).terms
    ('a', 'b', 'a:b')
    """
    levels = {}
    for name in names:
        found = group_conditions(tensor, name).table[name].tolist()
        if len(found) > _MOST_LEVELS:
            message = (
                f"{name!r} has {len(found)} values, of which each would be a level: put them into "
                f"at most {_MOST_LEVELS} classes first, or take popdyn.encoding"
            )
            raise TensorError(message)
        if len(found) == 1:
            message = (
                f"factor {name!r} is {found[0]} on all {tensor.sizes['trial']} trials: leave it "
                "out, or add trials of another level"
            )
            raise TensorError(message)
        levels[name] = found
    _refuse_empty(tensor, names)
    terms = [":".join(own) for n in range(1, len(names) + 1) for own in combinations(names, n)]
    design = make_design(tensor, terms, levels=levels)
    refuse_collinear(design)
    return design


def _refuse_empty(tensor: xr.DataArray, names: list[str]) -> None:
    """Refuse factors some combination of whose levels has no trial.

    Raises
    ------
    TensorError
        Naming one.
    """
    table = group_conditions(tensor, names).table
    wanted = int(np.prod([table[name].nunique() for name in names]))
    if len(table) == wanted:
        return
    every = [table[name].unique().tolist() for name in names]
    known = set(map(tuple, table[names].values.tolist()))
    grid = np.stack(np.meshgrid(*[np.arange(len(own)) for own in every], indexing="ij"), -1)
    for cell in grid.reshape(-1, len(names)):
        values = tuple(own[i] for own, i in zip(every, cell, strict=True))
        if values not in known:
            break
    words = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
    message = (
        f"{wanted - len(table)} of the {wanted} combinations of {', '.join(names)} have no trial "
        f"({words}, for one): interactions cannot be told from what factors do by themselves; "
        "leave a factor out, or select trials whose combinations are complete"
    )
    raise TensorError(message)


def keep_terms(design: Design, terms: Sequence[str]) -> Design:
    """Return a design with some of the terms alone, and the intercept.

    Parameters
    ----------
    design : Design
        From `factorial_design`.
    terms : sequence of str
        Those to keep.

    Returns
    -------
    Design
    """
    own = [i for i, term in enumerate(design.term) if term in terms]
    own.append(len(design.term) - 1)
    return Design(
        matrix=design.matrix[:, own],
        names=tuple(design.names[i] for i in own),
        term=tuple(design.term[i] for i in own),
        kept=design.kept,
        units=tuple(design.units[i] for i in own),
    )
