"""Segments of a neo Block on one clock, and which spike train is which neuron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from popdyn.errors import TensorError, warn
from popdyn.io.bridges.foreign import named
from popdyn.io.bridges.neo_objects import Train, read_train, text_of

ROLES = ("trials", "parts")
# Seconds between segments laid one after another, so that no window sees two as one recording.
GAP = 1.0
# Seconds: ends that touch may miss each other by rounding.
_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Stretch:
    """One segment: its trains, what to add to its times, and when it was recorded (s)."""

    segment: Any
    trains: tuple[Train, ...]
    offset: float
    start: float
    stop: float


def segments_of(item: Any) -> list[Any]:
    """Return the segments of a Block, or the Segment alone.

    Raises
    ------
    TensorError
        If it is neither, or empty.
    """
    if hasattr(item, "spiketrains") and not hasattr(item, "segments"):
        return [item]
    if not hasattr(item, "segments"):
        hint = " Take one of them: from_neo(blocks[0])." if isinstance(item, Sequence) else ""
        message = (
            "expected a neo Block (segments) or Segment (spiketrains); found "
            f"{type(item).__name__}.{hint}"
        )
        raise TensorError(message)
    found = list(item.segments)
    if not found:
        message = "the Block has no segments, so no spike trains."
        raise TensorError(message)
    return found


def role_of(role: str | None, n_segments: int) -> str:
    """Check what several segments are; one segment is a recording unless the user says otherwise.

    Raises
    ------
    TensorError
        If nobody said what several are.
    """
    if role is None and n_segments == 1:
        return "parts"
    if role is None:
        message = (
            f"the Block has {n_segments} segments: say whether each is a trial (segments='trials') "
            "or a part of one recording on one clock (segments='parts')."
        )
        raise TensorError(message)
    if role not in ROLES:
        message = f"segments must be 'trials' or 'parts', got {role!r}."
        raise TensorError(message)
    return role


def read_stretches(segments: list[Any], rate: float | None) -> list[Stretch]:
    """Read the trains of each segment, on the segment's own clock."""
    stretches = []
    for number, segment in enumerate(segments):
        items = list(segment.spiketrains)
        trains = tuple(
            read_train(item, f"spike train {k} of segment {number}", rate)
            for k, item in enumerate(items)
        )
        start = min((t.start for t in trains), default=0.0)
        stop = max((t.stop for t in trains), default=start)
        stretches.append(Stretch(segment, trains, 0.0, start, stop))
    if not any(one.trains for one in stretches):
        held = [
            f"{len(getattr(segments[0], name, ()))} {name}"
            for name in ("analogsignals", "events", "epochs")
        ]
        message = f"there are no spike trains; the first segment has {', '.join(held)}."
        raise TensorError(message)
    return stretches


def on_one_clock(stretches: list[Stretch], role: str, problems: list[str]) -> list[Stretch]:
    """Put segments on one clock: as they are where they follow each other.

    Trials whose clocks start anew are laid one after another; parts of one recording cannot.

    Raises
    ------
    TensorError
        If parts overlap.
    """
    order = np.argsort([one.start for one in stretches], kind="stable")
    start = np.array([stretches[k].start for k in order])
    stop = np.array([stretches[k].stop for k in order])
    overlaps = np.flatnonzero(start[1:] < stop[:-1] - _SLACK)
    if not overlaps.size:
        return [stretches[k] for k in order]
    first = overlaps[0]
    if role == "parts":
        message = (
            f"segments {order[first]} ({start[first]:g} to {stop[first]:g} s) and "
            f"{order[first + 1]} ({start[first + 1]:g} to {stop[first + 1]:g} s) overlap, so they "
            "are not on one clock: read one with from_neo(block.segments[0]), shift them with "
            "segment.time_shift, or take them as trials (segments='trials')."
        )
        raise TensorError(message)
    line = (
        f"the clocks of the {len(stretches)} segments overlap: laid one after another with "
        f"{GAP:g} s between; column zero_time is where each one's own clock is at zero"
    )
    problems.append(line)
    cursor, moved = 0.0, []
    for one in stretches:
        length = one.stop - one.start
        offset = cursor - one.start
        moved.append(Stretch(one.segment, one.trains, offset, cursor, cursor + length))
        cursor += length + GAP
    return moved


def match_neurons(
    stretches: list[Stretch], match: str, problems: list[str]
) -> tuple[np.ndarray, list[list[Train | None]]]:
    """Find the trains of each neuron in every segment.

    Parameters
    ----------
    stretches : list of Stretch
    match : str
        ``"name"``, ``"position"``, ``"auto"``, or an annotation of the trains.
    problems : list of str
        Gets a line where position had to do.

    Returns
    -------
    ids : numpy.ndarray (neuron,)
    trains : list of list of Train or None
        Per neuron, one per segment; None where it was not recorded.

    Raises
    ------
    TensorError
        If the trains of several segments cannot be told apart.
    """
    if match == "auto":
        match = _how(stretches, problems)
    keys = [_keys(one, match, number) for number, one in enumerate(stretches)]
    ids = list(dict.fromkeys(key for each in keys for key in each))
    found = [
        dict(zip(each, one.trains, strict=True)) for each, one in zip(keys, stretches, strict=True)
    ]
    return np.array(ids), [[trains.get(key) for trains in found] for key in ids]


def _how(stretches: list[Stretch], problems: list[str]) -> str:
    names = [[train.name for train in one.trains] for one in stretches]
    if all("" not in each and len(set(each)) == len(each) for each in names):
        return "name"
    sizes = [len(each) for each in names]
    if len(set(sizes)) > 1:
        message = (
            f"segments have different numbers of spike trains ({named(sizes)}) without a name of "
            "its own for each: say which annotation tells neurons apart with match='...' "
            f"({named(_annotations(stretches)) or 'they have none'})."
        )
        raise TensorError(message)
    if len(stretches) > 1:
        problems.append(
            "spike trains have no names of their own: the k-th of every segment was taken as the "
            "same neuron (match='...' names an annotation that tells)"
        )
        warn(problems[-1])
    return "position"


def _annotations(stretches: list[Stretch]) -> list[str]:
    return sorted({key for one in stretches for train in one.trains for key in train.annotations})


def _keys(one: Stretch, match: str, number: int) -> list[Any]:
    if match == "position":
        return list(range(len(one.trains)))
    keys = [t.name if match == "name" else t.annotations.get(match) for t in one.trains]
    what = f"{match!r}" if match == "name" else f"annotation {match!r}"
    if None in keys or "" in keys:
        message = (
            f"{what} is missing in {sum(key in (None, '') for key in keys)} of {len(keys)} spike "
            f"trains of segment {number}; annotations: {named(_annotations([one])) or 'none'}."
        )
        raise TensorError(message)
    twice = sorted({str(key) for key in keys if keys.count(key) > 1})
    if twice:
        message = (
            f"{what} is not unique in segment {number} ({named(twice)}): it cannot tell neurons "
            "apart."
        )
        raise TensorError(message)
    return keys


def segment_row(one: Stretch, moved: bool) -> dict[str, Any]:
    """Return the trial that a segment is: start, stop, name and index."""
    row: dict[str, Any] = {"start_time": one.start, "stop_time": one.stop}
    if moved:
        row["zero_time"] = one.offset
    if text_of(one.segment, "name"):
        row["segment_name"] = text_of(one.segment, "name")
    if getattr(one.segment, "index", None) is not None:
        row["segment_index"] = int(one.segment.index)
    return row
