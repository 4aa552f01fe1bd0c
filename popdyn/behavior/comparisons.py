"""Whether trials are comparisons of two stimuli, and what keeps them from being that."""

from __future__ import annotations

import numpy as np
import xarray as xr

from popdyn.errors import warn

# Share of trials beyond which a task is taken for a comparison of two stimuli.
_MOSTLY = 0.9


def compares(table: xr.Dataset) -> bool:
    """Tell whether the task was to say which of two numbers is larger.

    Parameters
    ----------
    table : Dataset
        Trials, with the columns ``stimulus``, ``stimulus_2``, ``choice`` and ``correct`` if they
        are comparisons.

    Returns
    -------
    bool
        Whether ``correct`` is 1 where ``choice`` is the sign of the difference (choices 0 and 1
        stand for -1 and 1), and nowhere else, on all trials on which all of them are known.

    Warns
    -----
    PopdynWarning
        Where that holds on most trials, or the other way round on all; and where trials of
        several contexts are taken together.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> columns = {"stimulus": [1.0, 2.0], "stimulus_2": [2.0, 1.0], "choice": [1, 1]}
    >>> columns = {name: ("trial", np.array(values)) for name, values in columns.items()}
    >>> compares(xr.Dataset(coords={**columns, "correct": ("trial", np.array([1, 0]))}))
    True
    """
    wanted = ("stimulus", "stimulus_2", "choice", "correct")
    if any(name not in table.coords or table[name].dtype.kind not in "biuf" for name in wanted):
        return False
    first, second, choice, correct = (table[name].to_numpy().astype(float) for name in wanted)
    judged = np.isfinite(first + second + choice + correct) & (first != second)
    if not judged.any():
        return False
    if np.isin(choice[judged], (0.0, 1.0)).all():
        choice = 2 * choice - 1
    says = np.sign(choice) == np.sign(second - first)
    agree = float(np.mean(says[judged] == (correct[judged] == 1)))
    none = "there are no points of equality"
    roles = "Say so by roles, as in roles={'choice': {'column': 'choice', 'values': "
    if agree == 0:
        warn(
            f"choices seem to be 1 where the first stimulus is called larger: {none}. "
            f"{roles}{{-1: 1, 1: -1}}}}}}"
        )
    elif _MOSTLY < agree < 1:
        warn(
            f"on {round((1 - agree) * judged.sum())} of {judged.sum()} trials stimuli, choice and "
            f"correct contradict each other, though they agree on the others: {none}. Mend these "
            "trials, or leave them out"
        )
    if agree == 1 and "context" in table.coords:
        contexts = np.unique(table["context"].to_numpy()[judged])
        if contexts.size > 1:
            listed = ", ".join(str(context) for context in contexts[:4])
            warn(
                f"points of equality and their slope are of all contexts together ({listed}): for "
                "one of each, give the trials of one context at a time"
            )
    return agree == 1
