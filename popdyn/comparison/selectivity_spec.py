"""Settings of the steps on selectivity: random or clustered, pure or mixed."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from popdyn.analysis.selectivity_variants import check_names
from popdyn.comparison.fields import Count, Names, Positive, Regressors, Table, Window

_Share = Annotated[Positive, Field(lt=1)]


class Selectivity(Table):
    """Whether coefficients of neurons in a regression fall into groups.

    Attributes
    ----------
    regressors : tuple of str, str or None
        Columns or a formula; None takes the columns of ``by``.
    window : (float, float) or None
        Epoch (s) over which activity is averaged; None is all of the window.
    method, variant, n_draws
        As ``pdn.selectivity_test``.
    """

    regressors: Regressors | None = None
    window: Window | None = None
    method: str = "epairs"
    variant: str = "default"
    n_draws: Count = 1000

    @model_validator(mode="after")
    def _known(self) -> Self:
        check_names(self.method, self.variant)
        return self


class MixedSelectivity(Table):
    """Which neurons follow one factor, several, or how these go together.

    Attributes
    ----------
    factors : tuple of str or None
        Two columns or more; None takes the columns of ``by``.
    window : (float, float) or None
        Epoch (s) over which activity is averaged; None is all of the window.
    alpha : float
        Share of false discoveries.
    """

    factors: Names | None = None
    window: Window | None = None
    alpha: _Share = 0.05

    @model_validator(mode="after")
    def _several(self) -> Self:
        if self.factors is not None and len(set(self.factors)) < max(2, len(self.factors)):
            message = (
                "factors should name two columns or more, each once, found "
                f"{', '.join(self.factors)}: what one variable does is told by encoding"
            )
            raise ValueError(message)
        return self
