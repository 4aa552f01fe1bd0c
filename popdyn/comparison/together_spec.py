"""What a comparison computes over several sources: the tables under ``[comparison]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from popdyn.comparison.analysis_spec import Analyses
from popdyn.comparison.fields import Count, Names, Table
from popdyn.comparison.refusal import nearest_name

Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$")]


class Pooling(Table):
    """Decoding averaged over sessions, each a source.

    Attributes
    ----------
    analysis : {"decode", "decode_quantity"}
        What is averaged.
    sessions : dict or None
        Name of a group -> ids of its sources; None takes all recordings as one group and all
        networks as another.
    """

    analysis: Literal["decode", "decode_quantity"] = "decode"
    sessions: dict[Group, Names] | None = None

    @model_validator(mode="after")
    def _several(self) -> Self:
        for name, ids in (self.sessions or {}).items():
            if len(set(ids)) < max(2, len(ids)):
                message = f"sessions.{name} should name two or more sources, each once"
                raise ValueError(message)
        return self

    def groups(self, kinds: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """Give the sources of each group.

        Parameters
        ----------
        kinds : mapping
            Source id -> kind.

        Returns
        -------
        dict
            Name of the group -> ids of its sources, two or more.
        """
        if self.sessions is not None:
            return dict(self.sessions)
        networks = tuple(name for name, kind in kinds.items() if kind == "network")
        recordings = tuple(name for name in kinds if name not in networks)
        groups = {"recordings": recordings, "networks": networks}
        return {name: ids for name, ids in groups.items() if len(ids) > 1}


class Agreement(Table):
    """Whether groups of selectivity are the same in all sources.

    Attributes
    ----------
    n_clusters : int or None
        Groups of each source; None takes the number that predicts held-out neurons best.
    n_draws : int
        As ``pdn.selectivity_agreement``.
    """

    n_clusters: Annotated[Count, Field(ge=2)] | None = None
    n_draws: Count = 999


class Together(Table):
    """What is computed over several sources; an absent table is not."""

    pool_decoding: Pooling | None = None
    selectivity_agreement: Agreement | None = None

    def refused(self, analyses: Analyses, kinds: Mapping[str, str]) -> str:
        """Say what the rest of the spec lacks for it.

        Parameters
        ----------
        analyses : Analyses
            The analyses of each source.
        kinds : mapping
            Source id -> kind.

        Returns
        -------
        str
            Empty when nothing is lacking.
        """
        if self.selectivity_agreement is not None:
            where = "comparison.selectivity_agreement"
            if analyses.selectivity_test is None:
                return f"{where} compares vectors of selectivity_test: ask for it in [analyses]"
            if len(kinds) < 2:
                return f"{where} needs two sources or more"
        asked = self.pool_decoding
        if asked is None:
            return ""
        if asked.analysis not in analyses.names:
            return f"comparison.pool_decoding averages {asked.analysis}: ask for it in [analyses]"
        groups = asked.groups(kinds)
        for name, ids in groups.items():
            for unknown in (one for one in ids if one not in kinds):
                where = f"comparison.pool_decoding.sessions.{name}"
                return f"{where}: there is no source {unknown!r}; {nearest_name(unknown, [*kinds])}"
        return "" if groups else "comparison.pool_decoding needs two recordings or two networks"
