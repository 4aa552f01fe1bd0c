"""Settings of the steps on low-rank networks: fitted to activity, and read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Strict
from pydantic_core import PydanticCustomError

from popdyn.comparison.fields import Count, Flag, Names, Number, Positive, Table, Window

_Folds = Annotated[int, Strict(), Field(ge=2)]
_NotNegative = Annotated[Number, Field(ge=0)]


def _ranks(value: Any) -> Any:
    """Accept a rank, or a list of different ones."""
    ranks = value if isinstance(value, (list, tuple)) else [value]
    whole = all(isinstance(one, int) and not isinstance(one, bool) and one >= 1 for one in ranks)
    if whole and ranks and len(set(ranks)) == len(ranks):
        return tuple(sorted(ranks))
    kind, words = "expected", "should be a rank of 1 or more, or a list of different ones"
    raise PydanticCustomError(kind, words)


def _number(value: Any) -> Any:
    """Accept a number of populations, or the word "auto"."""
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    kind, words = "expected", 'should be "auto" or a whole number of 1 or more'
    raise PydanticCustomError(kind, words)


class LowRankFit(Table):
    """Low-rank networks fitted to the condition averages of each source.

    Attributes
    ----------
    n_ranks : tuple of int
        Ranks to fit.
    by : tuple of str or None
        Columns of the averages; None takes those of the comparison.
    inputs : dict or None
        Trial columns that are inputs, each with the window (s) in which it is heard, for all
        sources; None takes what a network was shown, which a recording does not say.
    tau : float or None
        Time constant (s); None is that of the source's own network, or 0.1.
    lag : float
        Seconds from an input to its effect.
    n_folds, n_starts, n_iterations, n_draws, ceiling
        As ``pdn.dynamics.fit_lowrank``.
    """

    n_ranks: Annotated[tuple[int, ...], BeforeValidator(_ranks)] = (1, 2, 3)
    by: Names | None = None
    inputs: Annotated[dict[str, Window], Field(min_length=1)] | None = None
    tau: Positive | None = None
    lag: _NotNegative = 0.0
    n_folds: _Folds = 5
    n_starts: Count = 2
    n_iterations: Count = 300
    n_draws: Count = 1000
    ceiling: Flag = True


class Populations(Table):
    """Populations of a low-rank network, as many as its task needs.

    Attributes
    ----------
    n_populations : "auto" or int
    largest, n_resamples, n_trials, n_starts : int
        As ``pdn.dynamics.populations``.
    """

    n_populations: Annotated[Literal["auto"] | int, BeforeValidator(_number)] = "auto"
    largest: Count = 4
    n_resamples: Count = 10
    n_trials: Count = 256
    n_starts: Count = 50


class Context(Table):
    """Under which constant inputs a low-rank network is read.

    Attributes
    ----------
    by : tuple of str or None
        Columns whose values are the contexts; None takes the column ``context``, if there is one.
    during : (float, float) or None
        Window (s) over which the inputs of the trials of a context are averaged; None is all.
    """

    by: Names | None = None
    during: Window | None = None


class Inactivation(Table):
    """What is lost without each population, and without each latent, of a low-rank network."""

    n_draws: Count = 1000
