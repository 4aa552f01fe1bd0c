"""The sources of a comparison spec: recordings, saved tensors, networks, pseudo-populations."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from popdyn.comparison.fields import File, Plain, RecordingFile, Selection, Table, existing_file
from popdyn.comparison.refusal import nearest_name
from popdyn.tensor.roles import ROLES

# Units that are converted, or that stand for rates: another spelling would silently be none.
_SPELLINGS = {
    "s": {"s", "sec", "secs", "second", "seconds"},
    "ms": {"ms", "msec", "msecs", "millisecond", "milliseconds"},
    "us": {"us", "usec", "usecs", "microsecond", "microseconds", "\N{MICRO SIGN}s", "μs"},
    "Hz": {"hz", "hertz"},
}


def _as_role(value: Any) -> Any:
    """Read a bare column name as a role with nothing but a column."""
    return {"column": value} if isinstance(value, str) else value


class Role(Table):
    """Which column plays a role, and what its values mean.

    Attributes
    ----------
    column : str
        Trial column, named as in the file.
    values : dict
        File value -> value in the comparison; the keys are text in TOML and match numbers
        too.  Empty: the values are taken as they are.
    units : str or None
        Unit of the values, where they are quantities.
    """

    column: str
    values: dict[str, Plain] = {}
    units: str | None = None

    @field_validator("units", mode="after")
    @classmethod
    def _spelled(cls, value: str | None) -> str | None:
        known = next((u for u, ways in _SPELLINGS.items() if str(value).casefold() in ways), value)
        if value != known:
            message = f"the unit {value!r} is not known; write {known!r}"
            raise ValueError(message)
        return value


def _known_roles(roles: dict[str, Role]) -> dict[str, Role]:
    for name in roles:
        if name not in ROLES:
            message = f"there is no role {name!r}; {nearest_name(name, ROLES)}"
            raise ValueError(message)
    return roles


Roles = Annotated[
    dict[str, Annotated[Role, BeforeValidator(_as_role)]], AfterValidator(_known_roles)
]


def _as_id(value: Any) -> Any:
    """Ids of neurons may be integers; they are compared as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class _Source(Table):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$")]
    neurons: Selection = {}
    select: Selection = {}
    roles: Roles = {}
    example_neuron: Annotated[str | None, BeforeValidator(_as_id)] = None


class Reading(Table):
    """Arguments of ``pdn.read_session``, for files that mislead.

    Attributes
    ----------
    clocks, units, shift, restart_offset, overlaps, observed, neuron_table
        As there: the clock and unit of times, what is added to them, trials that overlap, when
        neurons count as observed, which table of neurons.
    """

    clocks: dict[str, Literal["session", "trial"]] = {}
    units: dict[str, str | float] = {}
    shift: dict[str, float] = {}
    restart_offset: float | None = None
    overlaps: Literal["keep", "drop", "cut"] = "keep"
    observed: Literal["auto", "session", "spikes"] = "auto"
    neuron_table: str | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """Arguments for ``pdn.read_session``."""
        return {name: getattr(self, name) or None for name in ("clocks", "units", "shift")} | {
            name: getattr(self, name)
            for name in ("restart_offset", "overlaps", "observed", "neuron_table")
        }


class Recording(_Source, Reading):
    """An NWB file: its interval table, the event column in it, what to keep.

    Attributes
    ----------
    path : Path
        The file.
    trials : str
        Its interval table.
    align : str
        Event column of that table.
    """

    kind: Literal["recording"]
    path: RecordingFile
    trials: str = "trials"
    align: str


class SavedTensor(_Source):
    """A tensor saved with ``pdn.save``; ``align`` is the event it was aligned to."""

    kind: Literal["tensor"]
    path: File
    align: str


class Task(Table):
    """A task by its name in ``pdn.tasks``; further keys are the task's own arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The task's own arguments."""
        return dict(self.model_extra or {})


class Model(Table):
    """A network, made (or loaded), trained, simulated and observed on the spot.

    Attributes
    ----------
    network : dict
        Arguments of ``pdn.network.Rate.random``, or with ``kind = "spiking"`` or ``"low_rank"``
        of ``pdn.network.Spiking.random`` or ``LowRank.random``; or ``path``: a network saved with
        ``pdn.save``, or arrays that ``pdn.read_weights`` reads and ``from_weights`` makes a
        network of.
    task : Task
        The task it performs.
    train : dict or None
        ``rule``: "reservoir" (the default), "force", "full_force" or "backprop", and arguments of
        the function of that name in ``pdn.train``; None leaves the network untrained.
    simulate : dict
        ``n_trials``: how many trials it performs; further arguments of ``pdn.simulate``.
    observe : dict or None
        Arguments of ``pdn.observe``; None takes all neurons: the rates themselves, or a spiking
        network's own spikes.
    """

    network: dict[str, Any]
    task: Task
    train: dict[str, Any] | None = None
    simulate: dict[str, Any] = {}
    observe: dict[str, Any] | None = None

    @field_validator("network", mode="after")
    @classmethod
    def _saved_network(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "path" not in value:
            return value
        return {**value, "path": existing_file(value["path"], info)}


class ModelSpec(Model):
    """A file that describes a network and its task, for ``popdyn simulate`` and ``train``."""

    seed: Annotated[int, Strict(), Field(ge=0)] = 0


class Network(Model, _Source):
    """A source that is a network; ``align`` is an event column of its task."""

    kind: Literal["network"]
    align: str


class Member(Reading):
    """One recording of a pseudo-population; what it leaves out its source provides."""

    path: RecordingFile
    trials: str | None = None
    align: str | None = None
    neurons: Selection = {}
    select: Selection = {}
    roles: Roles = {}


class Pseudopopulation(_Source):
    """Neurons recorded apart, pooled by condition: never a simultaneous recording."""

    kind: Literal["pseudopopulation"]
    recordings: Annotated[tuple[Member, ...], Field(min_length=1)]
    trials: str = "trials"
    align: str | None = None

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        for number, member in enumerate(self.recordings, start=1):
            if member.align is None and self.align is None:
                message = f"recording {number} has no 'align': name its event column"
                raise ValueError(message)
        return self


Source = Recording | SavedTensor | Network | Pseudopopulation
