"""Where the neurons of an NWB 1 file lie: from a unit's electrodes to its shank's location.

``/general/extracellular_ephys`` names each electrode's group, and has a group of that name with
its ``location``; ``EventWaveform/<unit>/electrode_idx`` counts electrodes.
"""

from __future__ import annotations

import numpy as np

from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.node import Node, holds_data

_EPHYS = "/general/extracellular_ephys"


def unit_places(root: Node, units: list[Node]) -> dict[str, np.ndarray]:
    """Return the columns ``group_name`` and ``location``, as far as the file leaves no doubt.

    The specification counts electrodes from 0, files made with MATLAB count from 1: where
    indices fit both and the two differ, nothing is said.

    Parameters
    ----------
    root : Node
    units : list of Node
        Groups below ``UnitTimes``.

    Returns
    -------
    dict of str to numpy.ndarray
        Texts, one per unit; no column where no unit has any.
    """
    ephys = root.absolute(_EPHYS)
    owners = _texts(ephys, "electrode_group")
    if ephys is None or not owners:
        return {}
    places = {name: " ".join(_texts(ephys.child(name), "location")) for name in set(owners)}
    electrodes = [_electrodes(root, unit) for unit in units]
    counted = np.concatenate([np.zeros(0, np.int64), *electrodes])
    if counted.size and (counted.min() < 0 or counted.max() > len(owners)):
        return {}
    from_0, from_1 = bool((counted == 0).any()), bool((counted == len(owners)).any())
    bases = [base for base, refuted in ((0, from_1), (1, from_0)) if not refuted]
    found = {"group_name": owners, "location": [places[name] for name in owners]}
    columns = {
        name: np.array([_words(words, own, bases) for own in electrodes], dtype=np.str_)
        for name, words in found.items()
    }
    return {name: words for name, words in columns.items() if (words != "").any()}


def _words(words: list[str], electrodes: np.ndarray, bases: list[int]) -> str:
    """Words of a unit's electrodes, if all ways to count them agree."""
    if len(set(words)) == 1:
        return words[0]
    told = {", ".join(dict.fromkeys(words[k - base] for k in electrodes)) for base in bases}
    return told.pop() if len(told) == 1 else ""


def _electrodes(root: Node, unit: Node) -> np.ndarray:
    """Read the indices of a unit's electrodes; none where the file does not tell."""
    module = unit.path.rsplit("/", 2)[0]
    waves = root.absolute(f"{module}/EventWaveform/{unit.name}")
    data = waves.child("electrode_idx") if waves is not None else None
    if data is None or data.is_group or data.holds != "numbers":
        return np.zeros(0, np.int64)
    try:
        return data.read().ravel().astype(np.int64)
    except DAMAGE:
        return np.zeros(0, np.int64)


def _texts(group: Node | None, name: str) -> list[str]:
    data = group.child(name) if group is not None and holds_data(group, name) else None
    if data is None or data.holds != "text":
        return []
    try:
        return [" ".join(str(value).split()) for value in data.read().ravel().tolist()]
    except DAMAGE:
        return []
