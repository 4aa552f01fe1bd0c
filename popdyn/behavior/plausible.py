"""Whether answers can be what their roles say: other units, clocks, columns exchanged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from popdyn.errors import FitError, TensorError, warn

# Responses this many times longer or shorter than stimuli are in another unit.
_FACTOR = 50.0
# So many responses in a row do not grow by chance; none is so many times longer than its stimulus.
_FEW = 10
# Ratios of productions to stimuli spread less than this from the 10 % to the 90 % quantile.
_SPREAD = 2.0
# Second stimuli this many times larger or smaller than the first are in another unit.
_OTHER_UNIT = 100.0
# Nobody reproduces anything with so little scatter, of the mean.
_NO_SCATTER = 1e-4
# Answers this many standard errors against a stimulus are against it by more than chance.
_AGAINST = -4.0


def check_responses(table: pd.DataFrame) -> None:
    """Refuse responses that cannot be productions of the stimulus.

    Parameters
    ----------
    table : DataFrame
        With the columns ``stimulus`` and ``response``.

    Raises
    ------
    TensorError
        If a response comes before its stimulus counts, or the two are in different units.
    """
    stimulus, response = table["stimulus"].to_numpy(), table["response"].to_numpy()
    early = np.flatnonzero(response <= 0)
    if early.size:
        message = (
            f"{early.size} of {response.size} responses are not after the start they are counted "
            f"from (first: {response[early[0]]:g} s in trial {table.index[early[0]]}): the role "
            "response is a produced interval, so subtract the event it starts with, and leave out "
            "trials without an answer (NaN)"
        )
        raise TensorError(message)
    given = response[np.isfinite(response)]
    grows = given.size >= _FEW and bool((np.diff(given) > 0).all())
    if grows and given[-1] > _FEW * np.nanmax(stimulus):
        message = (
            f"responses grow from trial to trial, {given[0]:g} s in the first and "
            f"{given[-1]:g} s in the last: these are times of a clock, not produced intervals; "
            "subtract the event from which an interval is counted"
        )
        raise TensorError(message)
    known = np.isfinite(stimulus) & np.isfinite(response) & (stimulus > 0)
    if not known.any():
        return
    each = response[known] / stimulus[known]
    ratio = float(np.median(each))
    low, high = np.quantile(each, [0.1, 0.9])
    if ratio > _FEW and high > _SPREAD * low:
        message = (
            f"responses go from {given.min():g} to {given.max():g}, whatever the stimulus (median "
            f"{np.median(stimulus[known]):g}): these seem to be times of a clock, not produced "
            "intervals; subtract the event from which an interval is counted"
        )
        raise TensorError(message)
    if not 1 / _FACTOR < ratio < _FACTOR:
        message = (
            f"responses are {ratio:.3g} times the stimuli (medians {np.median(response[known]):g} "
            f"and {np.median(stimulus[known]):g}): one of them is in ms, the other in s; say so in "
            'its role, {"column": ..., "units": "ms"}'
        )
        raise TensorError(message)


def check_scatter(used: pd.DataFrame) -> None:
    """Refuse responses that a smooth curve over the stimulus gives exactly.

    Parameters
    ----------
    used : DataFrame
        Usable trials, with the columns ``stimulus`` and ``response``.

    Raises
    ------
    FitError
        If there is no scatter that noise could be found from.
    """
    stimulus, response = used["stimulus"].to_numpy(float), used["response"].to_numpy(float)
    powers = np.vander((stimulus - stimulus.mean()) / np.ptp(stimulus), 4)
    away = response - powers @ np.linalg.lstsq(powers, response, rcond=None)[0]
    scatter = float(np.std(away) / np.mean(response))
    if scatter < _NO_SCATTER:
        message = (
            f"responses follow from the stimulus without scatter ({response[0]:g} after "
            f"{stimulus[0]:g} in trial {used.index[0]}, {scatter:.1g} of the mean beyond a smooth "
            "curve): nothing that was produced does. Is the column when a stimulus or a trial "
            "ended, rather than the answer?"
        )
        raise FitError(message)


def check_comparisons(table: pd.DataFrame) -> None:
    """Refuse choices that cannot be "the second is larger".

    Parameters
    ----------
    table : DataFrame
        With the columns ``stimulus``, ``stimulus_2`` and ``choice``.

    Raises
    ------
    TensorError
        If the stimuli are in different units, or choices say the opposite of their difference by
        more than chance.
    """
    known = np.isfinite(table[["stimulus", "stimulus_2", "choice"]].to_numpy(float)).all(axis=1)
    first, second, choice = (
        table.loc[known, name].to_numpy(float) for name in ("stimulus", "stimulus_2", "choice")
    )
    if not first.size:
        return
    size, size_2 = (float(np.median(np.abs(values))) for values in (first, second))
    if min(size, size_2) > 0 and not 1 / _OTHER_UNIT < size_2 / size < _OTHER_UNIT:
        message = (
            f"second stimuli are {size_2 / size:.3g} times the first (medians {size:g} and "
            f"{size_2:g}): one of them is in ms, the other in s; say so in its role, "
            '{"column": ..., "units": "ms"}'
        )
        raise TensorError(message)
    if falls(second - first, choice):
        message = (
            "choices are 1 where the second stimulus is smaller, more often than not: stimulus "
            "and stimulus_2 are exchanged, or the choice is turned round (1 says that the second "
            "is larger: roles={'choice': {'column': 'choice', 'values': {-1: 1, 1: -1}}}), or one "
            "stimulus is in another unit than the other"
        )
        raise TensorError(message)


def falls(stimulus: np.ndarray, choice: np.ndarray) -> bool:
    """Tell whether choices of 1 become rarer as the stimulus grows, by more than chance.

    Parameters
    ----------
    stimulus, choice : ndarray, shape (trial,)
        Known on all trials.

    Examples
    --------
    >>> import numpy as np
    >>> stimulus = np.tile([-1.0, 1.0], 20)
    >>> falls(stimulus, -stimulus), falls(stimulus, stimulus), falls(stimulus[:8], -stimulus[:8])
    (True, False, False)
    """
    scatter = float(np.std(stimulus) * np.std(choice))
    if scatter == 0:
        return False
    together = float(np.mean((stimulus - stimulus.mean()) * (choice - choice.mean())))
    return bool(together / scatter * np.sqrt(stimulus.size) < _AGAINST)


def check_varied(used: pd.DataFrame, what: str) -> None:
    """Refuse trials in which nothing varies that a slope could be found from.

    Parameters
    ----------
    used : DataFrame
        Usable trials, with the column ``stimulus`` and perhaps ``choice``.
    what : str
        What is to be measured, for the message.

    Raises
    ------
    FitError
        If there is one stimulus only, or one choice only.
    """
    n_stimuli = used["stimulus"].nunique()
    if n_stimuli < 2:
        message = f"{n_stimuli} stimulus in {len(used)} usable trials: {what} takes at least two"
        raise FitError(message)
    if "choice" in used and used["choice"].nunique() < 2:
        message = (
            f"all {len(used)} choices are {used['choice'].iloc[0]:g}: {what} takes both answers"
        )
        raise FitError(message)


def say_contexts(table: pd.DataFrame, what: str) -> None:
    """Warn of trials of several contexts that are taken together.

    Parameters
    ----------
    table : DataFrame
        Usable trials.
    what : str
        What is one of all of them, for the message.
    """
    if "context" not in table.columns:
        return
    contexts = table["context"].dropna().unique()
    if len(contexts) > 1:
        listed = ", ".join(str(context) for context in contexts[:4])
        warn(
            f"one {what} of all contexts together ({listed}): answers may be drawn to another "
            "middle in each. For one of each, give the trials of one context at a time"
        )
