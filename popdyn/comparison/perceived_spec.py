"""Settings of the steps from behavior to verdict: observer, orbits, true or perceived stimulus."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from popdyn.comparison.fields import Count, Names, Number, Table, Window

Draws = Annotated[int, Strict(), Field(ge=0)]
_SomeDraws = Annotated[int, Strict(), Field(ge=2)]


class Behavior(Table):
    """Contraction of the answers, and an observer fitted to them, in each stimulus set.

    Attributes
    ----------
    sets : str or None
        Trial column that names the stimulus set; None takes the second column of the orbits.
    prior : {"stimuli", "uniform"}
        What the observer expects: the stimuli of the set as often as they came, or anything
        between the smallest and the largest.
    estimator : {"mean", "mode", "median"}
        What the observer takes of what it believes.
    noise : {"weber", "constant"} or None
        How its measurement scatters; None is the observer's own default.
    n_draws : int
        Bootstrap draws of trials; the same trials are drawn for the orbits.
    """

    sets: str | None = None
    prior: Literal["stimuli", "uniform"] = "stimuli"
    estimator: Literal["mean", "mode", "median"] = "mean"
    noise: Literal["weber", "constant"] | None = None
    n_draws: _SomeDraws = 500


class Kinet(Table):
    """Signed distances between orbits, by nearest states (KiNeT).

    Attributes
    ----------
    by : tuple of str or None
        The stimulus, and the stimulus set if there is one; None takes the comparison's columns.
    mean_over : (float, float) or None
        Times (s) of the reference over which distances are averaged; None takes all.
    """

    by: Names | None = None
    method: Literal["kinet", "arc_length", "coding_axis"] = "kinet"
    reference: str | Number | None = None
    mean_over: Window | None = None
    n_components: Count | str = "90%"
    alignment: Literal["nearest", "monotone", "time"] = "nearest"
    sign: Literal["direction", "axis"] = "direction"
    n_splits: Draws = 5
    n_draws: Draws = 500


class Estimation(Table):
    """Whether distances follow the true stimulus or the observer's estimate.

    Attributes
    ----------
    n_draws : int
        Data sets simulated under either hypothesis.
    n_repeats : int
        How often repeats are parted to cross-validate codes.
    """

    n_draws: Count = 2000
    n_repeats: Count = 100
