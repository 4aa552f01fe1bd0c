"""The header of an NWB file that popdyn writes: session, subject, who and where."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import xarray as xr

from popdyn import __version__
from popdyn.errors import SourceError

# NCBI's taxonomy has an entry for what was made, and one for what nobody named.
_SPECIES = {
    "network": "http://purl.obolibrary.org/obo/NCBITaxon_32630",
    "recording": "http://purl.obolibrary.org/obo/NCBITaxon_32644",
}
_SUBJECT_FIELDS = ("subject_id", "species", "sex", "age", "age__reference", "date_of_birth") + (
    "description", "genotype", "strain", "weight",
)  # fmt: skip
# Stands for a start that nobody knows: a fixed date keeps files comparable.
_NO_START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Header:
    """What the user gave for the header; None where popdyn fills in."""

    session_description: str | None
    identifier: str | None
    session_start_time: datetime | str | None
    subject: Mapping[str, Any] | None
    experimenter: str | Sequence[str] | None
    lab: str | None
    institution: str | None
    experiment_description: str | None
    keywords: Sequence[str] | None
    related_publications: str | Sequence[str] | None
    note: str


def new_file(session: xr.Dataset, header: Header) -> Any:
    """Make an empty pynwb file with its header.

    Raises
    ------
    SourceError
        For a date that is none, or a field that a subject does not have.
    """
    from pynwb import NWBFile

    source = "network" if session.attrs.get("source") == "network" else "recording"
    start, is_known = _start(session, header.session_start_time)
    optional = {
        "experimenter": _listed(header.experimenter),
        "lab": header.lab,
        "institution": header.institution,
        "related_publications": _listed(header.related_publications),
    }
    return NWBFile(
        session_description=_session_description(session, header, is_known),
        identifier=header.identifier or _identifier(session, source),
        session_start_time=start,
        experiment_description=header.experiment_description or _experiment(source),
        keywords=list(header.keywords or ("popdyn", source, "spikes")),
        subject=_subject(header.subject, source),
        source_script=f"popdyn {__version__}, write_nwb",
        source_script_file_name="popdyn",
        **{name: value for name, value in optional.items() if value},
    )


def _listed(given: str | Sequence[str] | None) -> list[str] | None:
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(given)


def _identifier(session: xr.Dataset, source: str) -> str:
    """Return the name of a recording; simulations share names, so theirs get a digest."""
    name = str(session.attrs.get("source_id") or "session")
    digest = str(session.attrs.get("input_digest", ""))
    return name if source == "recording" and name != "session" else f"{name}-{digest}"


def _session_description(session: xr.Dataset, header: Header, is_known: bool) -> str:
    words = header.session_description
    if not words:
        words = f"Session {session.attrs.get('source_id', '')}".strip()
        words += f" ({session.attrs.get('source', 'recording')}), written by popdyn."
    if header.note:
        words = f"{words} {header.note}"
    if not is_known:
        words = f"{words} The start time of the session is not known; its date stands for none."
    return words


def _experiment(source: str) -> str:
    if source == "network":
        return "A simulated network, observed as if it were recorded."
    return "A recording that was read and written again by popdyn."


def _start(session: xr.Dataset, given: datetime | str | None) -> tuple[datetime, bool]:
    known = given if given is not None else session.attrs.get("session_start_time") or None
    if known is None:
        return _NO_START, False
    try:
        return _date(known, "session_start_time"), True
    except SourceError:
        if given is not None:
            raise
        return _NO_START, False


def _date(given: Any, field: str) -> datetime:
    try:
        found = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    except ValueError as error:
        message = (
            f"{field} must be a date and time in ISO 8601, such as '2024-05-31T14:00:00+02:00'; "
            f"found {given!r}."
        )
        raise SourceError(message) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _subject(given: Mapping[str, Any] | None, source: str) -> Any:
    from pynwb.file import Subject

    fields = dict(given or {})
    for name in fields:
        if name not in _SUBJECT_FIELDS:
            near = difflib.get_close_matches(str(name), _SUBJECT_FIELDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            message = (
                f"a subject has no field {name!r}.{hint} Fields: {', '.join(_SUBJECT_FIELDS)}."
            )
            raise SourceError(message)
    born = fields.get("date_of_birth")
    if born is not None:
        fields["date_of_birth"] = _date(born, "date_of_birth")
    missing = "a simulated network" if source == "network" else "nothing was stated of the subject"
    defaults = {
        "subject_id": "network" if source == "network" else "unknown",
        "species": _SPECIES[source],
        "sex": "U",
        "description": missing[0].upper() + missing[1:],
    }
    if born is None:
        defaults["age"] = "P0D/"
    return Subject(**{**defaults, **{k: v for k, v in fields.items() if v is not None}})
