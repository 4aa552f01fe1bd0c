"""NWB 1 files (before 2019) as NWB 2 would hold them: a table of neurons, tables of intervals.

NWB 1 keeps each neuron's spike times in a data set of its own,
``/processing/<module>/UnitTimes/<unit>/times``, and each trial in a group of its own,
``/epochs/<epoch>/{start_time, stop_time, tags, ...}``.  So there is no bulk read: a file of 60
neurons takes 60 reads, and four for each trial.
"""

from __future__ import annotations

import re

from popdyn.errors import SourceError
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.local_file import listed
from popdyn.io.tree.made_node import MadeGroup
from popdyn.io.tree.node import Node, holds_data, words_of
from popdyn.io.version1.epochs import epoch_tables
from popdyn.io.version1.units import unit_table

_VERSION_1 = re.compile(r"^(NWB[-_ ]?)?[01]\.", re.IGNORECASE)


def stated_version_1(root: Node) -> str:
    """Return the version an NWB 1 file states; ``""`` for any other.

    Parameters
    ----------
    root : Node
    """
    stated = words_of(root, "nwb_version")
    if holds_data(root, "nwb_version"):
        data = root.child("nwb_version")
        try:
            values = data.read().ravel().tolist() if data is not None else []
        except DAMAGE:
            values = []
        stated = str(values[0]).strip() if values else ""
    return stated.upper().removeprefix("NWB-") if _VERSION_1.match(stated) else ""


def as_version_2(root: Node, version: str, file: str) -> Node:
    """Return the root of an NWB 1 file as that of an NWB 2 file.

    Parameters
    ----------
    root : Node
    version, file : str
        What the file states, and its name: for messages.

    Returns
    -------
    Node
        Holds ``units`` where a module has ``UnitTimes``, ``intervals`` where there are epochs or
        stimuli with start and stop, and the rest of the file as it is.

    Raises
    ------
    SourceError
        If the file has no groups at all.
    """
    children = {name: root.child(name) for name in root.names}
    kept = {name: child for name, child in children.items() if child is not None}
    if not any(child.is_group for child in kept.values()):
        message = (
            f"{file} is an NWB 1 file (schema {version}) without content: it lacks processing "
            "(neurons), epochs (trials), acquisition and stimulus; it holds "
            f"{listed(sorted(root.names))}. "
            "Was it cut short while it was written? Copy or download it again."
        )
        raise SourceError(message)
    absent = {name: root.why_absent(name) for name in children if name not in kept}
    epochs, acquisition = kept.pop("epochs", None), kept.get("acquisition")
    units = unit_table(root)
    if units is not None:
        kept["units"] = units
    intervals = epoch_tables(root, epochs)
    if intervals:
        kept["intervals"] = MadeGroup("/intervals", intervals)
    if acquisition is not None and acquisition.is_group:
        kept["acquisition"] = _without_level(acquisition)
    return MadeGroup("/", kept, {}, absent)


def _without_level(acquisition: Node) -> Node:
    """Return what lies in ``acquisition/timeseries`` (and ``images``) as NWB 2 has it: above."""
    inner = [acquisition.child(name) for name in acquisition.names]
    found = {
        name: child
        for group in inner
        if group is not None and group.is_group
        for name in group.names
        if (child := group.child(name)) is not None
    }
    return MadeGroup("/acquisition", found)
