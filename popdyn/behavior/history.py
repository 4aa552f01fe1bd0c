"""What came before a trial: the stimulus of an earlier one, and a fading trace of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from popdyn.errors import TensorError

Array = NDArray[np.float64]


def previous(table: pd.DataFrame, column: str, n_back: int = 1) -> Array:
    """Return a column as it was some trials before, within the session.

    Parameters
    ----------
    table : DataFrame
        Trials in the order in which they were done, with ``session`` if there are several.
    column : str
    n_back : int
        Number of trials back.

    Returns
    -------
    ndarray, shape (trial,)
        NaN where there is none.

    Raises
    ------
    TensorError
        If `n_back` is not a whole number of at least 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"stimulus": [1.0, 2.0, 3.0], "session": ["a", "a", "b"]})
    >>> previous(table, "stimulus").tolist()
    [nan, 1.0, nan]
    """
    if int(n_back) != n_back or n_back < 1:
        message = f"n_back must be a whole number of at least 1, found {n_back!r}"
        raise TensorError(message)
    shifted = _grouped(table)[column].shift(int(n_back))
    return np.asarray(shifted.to_numpy(dtype=np.float64))


def blocks(table: pd.DataFrame) -> NDArray[np.intp]:
    """Return the number of each trial's block: those of one session and one context.

    Parameters
    ----------
    table : DataFrame
        Trials, with ``session`` and ``context`` if there are several.

    Returns
    -------
    ndarray of int, shape (trial,)

    Examples
    --------
    >>> import pandas as pd
    >>> blocks(pd.DataFrame({"context": ["short", "long", "short"]})).tolist()
    [0, 1, 0]
    """
    names = [name for name in ("session", "context") if name in table]
    if not names:
        return np.zeros(len(table), dtype=np.intp)
    return np.asarray(table.groupby(names, sort=False, dropna=False).ngroup(), dtype=np.intp)


def trace(table: pd.DataFrame, column: str, decay: float) -> Array:
    """Return the average of a column over earlier trials, each counting less than the next.

    Parameters
    ----------
    table : DataFrame
        As for `previous`.
    column : str
    decay : float
        Number of trials after which the weight has fallen to 1/e; 0 is the last trial alone.

    Returns
    -------
    ndarray, shape (trial,)
        NaN where nothing came before.

    Examples
    --------
    >>> import pandas as pd
    >>> trace(pd.DataFrame({"stimulus": [1.0, 2.0, 3.0]}), "stimulus", 0.0).tolist()
    [nan, 1.0, 2.0]
    """
    keep = float(np.exp(-1 / decay)) if decay > 0 else 0.0
    before = np.full(len(table), np.nan)
    values = table[column].to_numpy(dtype=np.float64)
    for _, rows in _grouped(table).indices.items():
        total = weight = 0.0
        for row in np.sort(rows):
            before[row] = total / weight if weight > 0 else np.nan
            total, weight = keep * total, keep * weight
            if np.isfinite(values[row]):
                total, weight = total + values[row], weight + 1.0
    return before


def _grouped(table: pd.DataFrame) -> Any:
    """Trials by session; all of them where none is told."""
    sessions = table["session"] if "session" in table else pd.Series(0, index=table.index)
    return table.groupby(sessions.to_numpy(), sort=False)
