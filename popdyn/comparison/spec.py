"""What is to be compared, and how: the comparison spec, read from TOML into frozen records.

A spec names the sources, the event and window they share, the columns that define the
conditions, and the analyses.  It is checked whole before anything is computed: an unknown key
is refused with the nearest right one, a missing file with the nearest existing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr, Strict, model_validator

from popdyn.comparison.analysis_spec import Analyses
from popdyn.comparison.fields import Flag, Names, Number, Positive, Size, Table
from popdyn.comparison.source_spec import Model, ModelSpec, Network, Source
from popdyn.comparison.tables import read_tables
from popdyn.comparison.together_spec import Together
from popdyn.errors import SpecError, TensorError
from popdyn.tensor.contract import bin_edges

# Windows of minutes in fine bins were meant in milliseconds, and would take minutes to refuse.
_LONG = 300.0  # s
_MANY_BINS = 10_000


class Alignment(Table):
    """What all sources share in time: the event in words, the window and the bins (s)."""

    event: str = ""
    window: tuple[Number, Number]
    bin_width: Positive

    @model_validator(mode="after")
    def _seconds(self) -> Self:
        start, stop = self.window
        n_bins = (stop - start) / self.bin_width
        if stop - start >= _LONG and n_bins >= _MANY_BINS:
            message = (
                f"the window [{start:g}, {stop:g}] holds {n_bins:,.0f} bins of {self.bin_width:g} "
                "s: times are in seconds; if these are milliseconds, write "
                f"[{start / 1000:g}, {stop / 1000:g}]"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _whole_bins(self) -> Self:
        try:
            bin_edges(self.window, self.bin_width)
        except TensorError as error:
            raise ValueError(str(error)) from error
        return self


class Conditions(Table):
    """The roles or columns whose values define a condition."""

    by: Names


class Match(Table):
    """How many neurons, and trials of each condition, every source keeps.

    ``"smallest"`` is the number the smallest source has; absent keeps all.
    """

    neurons: Size | None = None
    trials: Size | None = None


class Prepare(Table):
    """What is done to every tensor before it is analyzed.

    Attributes
    ----------
    smooth : float or None
        Width (s) of a Gaussian; None leaves the bins as they are.
    soft_normalize : bool
        Divide each neuron by its range plus a constant, which makes rates dimensionless.
    """

    smooth: Positive | None = None
    soft_normalize: Flag = False


class Spec(Table):
    """A whole comparison.

    Attributes
    ----------
    title, note : str
        Heading of the report, and what its reader must know.
    seed : int
        Every random draw of the comparison derives from it.
    alignment, conditions, match, prepare, analyses, comparison : Table
        The tables of the spec.
    sources : tuple
        The ``[[source]]`` tables in order.
    """

    title: str = "Comparison"
    note: str = ""
    seed: Annotated[int, Strict(), Field(ge=0)] = 0
    alignment: Alignment
    conditions: Conditions
    match: Match = Match()
    prepare: Prepare = Prepare()
    analyses: Analyses
    comparison: Together = Together()
    sources: Annotated[
        tuple[Annotated[Source, Field(discriminator="kind")], ...],
        Field(alias="source", min_length=1),
    ]
    _text: str = PrivateAttr(default="")
    _name: str = PrivateAttr(default="the spec")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [source.id for source in self.sources]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            message = f"two sources have the id {twice[0]!r}: give each source its own 'id'"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _inside(self) -> Self:
        low, high = self.alignment.window
        for name, (start, stop) in self.analyses.windows.items():
            if start < low - 1e-9 or stop > high + 1e-9:
                message = (
                    f"analyses.{name} = [{start:g}, {stop:g}] reaches beyond "
                    f"alignment.window = [{low:g}, {high:g}]: shorten the one or widen the other"
                )
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _factors(self) -> Self:
        mixed = self.analyses.mixed_selectivity
        if mixed is not None and mixed.factors is None and len(self.conditions.by) < 2:
            message = (
                "analyses.mixed_selectivity asks how variables go together, but conditions.by "
                f"names only {self.conditions.by[0]!r}: give it factors = [...], two columns or "
                "more"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _together(self) -> Self:
        refused = self.comparison.refused(self.analyses, self.kinds)
        if refused:
            raise ValueError(refused)
        return self

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of every source, by its id."""
        return {source.id: source.kind for source in self.sources}

    @property
    def text(self) -> str:
        """The spec as TOML: the file's own text, or the same tables written out."""
        return self._text

    @property
    def name(self) -> str:
        """What messages call the spec: the name of its file."""
        return self._name


def load_spec(spec: str | Path | Mapping[str, Any] | Spec) -> Spec:
    """Read and check a comparison spec.

    Parameters
    ----------
    spec : path, mapping or Spec
        A TOML file, its tables as a mapping, or a Spec, which is returned as it is.  Paths in
        it are relative to the TOML file, or to the current folder for a mapping.

    Returns
    -------
    Spec
        The frozen record.

    Raises
    ------
    SpecError
        If the file is missing or is no TOML, if a key is unknown, missing or of the wrong
        type, or if a path leads nowhere; the message names the file, the key and the fix.

    Examples
    --------
    >>> from popdyn.comparison.spec import load_spec
    >>> load_spec({"alignement": {}})
    Traceback (most recent call last):
        ...
    popdyn.errors.SpecError: the spec: unknown key 'alignement'; did you mean 'alignment'? ...
    """
    if isinstance(spec, Spec):
        return spec
    tables = read_tables(spec)
    result = tables.checked(Spec)
    _check_networks(result, tables.name)
    result._text = tables.text
    result._name = tables.name
    return result


def load_model(
    spec: str | Path | Mapping[str, Any] | None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int | None = None,
) -> ModelSpec:
    """Read and check the description of a network and its task.

    Parameters
    ----------
    spec : path, mapping or None
        A TOML file, or its tables; None stands for a random network of 200 neurons that
        performs a perceptual decision.
    options : mapping of mappings, optional
        Tables whose keys replace those of the file; a ``path`` replaces the whole table.
    seed : int, optional
        Replaces the seed of the file.

    Returns
    -------
    ModelSpec

    Raises
    ------
    SpecError
        As `load_spec`.

    Examples
    --------
    >>> from popdyn.comparison.spec import load_model
    >>> load_model(None, {"network": {"g": 0.9}}).network
    {'n_neurons': 200, 'g': 0.9}
    """
    default = {"network": {"n_neurons": 200}, "task": {"name": "PerceptualDecision"}}
    tables = read_tables(default if spec is None else spec)
    data = dict(tables.data)
    for name, own in (options or {}).items():
        # A saved network has no other keys.
        kept = {} if "path" in own else data.get(name) or {}
        data[name] = {**kept, **own}
    if seed is not None:
        data["seed"] = seed
    model = replace(tables, data=data).checked(ModelSpec)
    _checked_arguments(model, tables.name)
    return model


def _check_networks(spec: Spec, name: str) -> None:
    """Check the tables that are handed to functions."""
    for source in spec.sources:
        if isinstance(source, Network):
            _checked_arguments(source, name, f'source["{source.id}"].')


def _checked_arguments(model: Model, name: str, where: str = "") -> None:
    # Importing the model side is only worth its time to a spec with a network.
    from popdyn.comparison.arguments import check_model

    try:
        check_model(model, where)
    except SpecError as error:
        message = f"{name}: {error}"
        raise SpecError(message) from None
