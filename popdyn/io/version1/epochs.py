"""The epochs of an NWB 1 file as tables of intervals.

Epochs named ``trial_001`` become the table ``trials``, all others the table ``epochs``.  Lists
over the trials that lie elsewhere become columns: CRCNS alm-1 keeps a cue per trial in
``/stimulus/presentation/<cue>/timestamps`` and what a trial was in ``/analysis``.  Stimuli with a
start and a stop each (the Allen Institute's) are tables of their own.
"""

from __future__ import annotations

import re

import numpy as np

from popdyn.io.tree.gather import gather_columns, natural_order
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.made_node import MadeData, MadeGroup, made_table
from popdyn.io.tree.node import Node, holds_data, words_of

_TRIAL = re.compile(r"^trials?[\W_]*(\d{1,17})$", re.IGNORECASE)
_NAMES, _MATRIX = "trial_type_string", "trial_type_mat"


def epoch_tables(root: Node, epochs: Node | None) -> dict[str, Node]:
    """Make tables of the epochs and stimuli of a file.

    Parameters
    ----------
    root : Node
    epochs : Node or None
        The group ``/epochs``, where there is one.

    Returns
    -------
    dict of str to Node
    """
    groups, damaged = _groups(epochs)
    trials = [group for group in groups if _TRIAL.match(group.name)]
    others = [group for group in groups if not _TRIAL.match(group.name)]
    tables: dict[str, Node] = {}
    if trials:
        numbers = [int(found[1]) for group in trials if (found := _TRIAL.match(group.name))]
        elsewhere = _per_trial(root, len(trials))
        tables["trials"] = _table("trials", trials, numbers, elsewhere, damaged)
    if others:
        lost = {} if trials else damaged
        tables["epochs"] = _table("epochs", others, range(len(others)), {}, lost)
    for name, table in _stimuli(root).items():
        tables[name if name not in tables else f"stimulus:{name}"] = table
    return tables


def _groups(epochs: Node | None) -> tuple[list[Node], dict[str, str]]:
    """Epochs in the order of their numbers, and which of them cannot be read."""
    if epochs is None or not epochs.is_group:
        return [], {}
    names = natural_order(epochs.names)
    children = {name: epochs.child(name) for name in names}
    groups = [child for child in children.values() if child is not None and child.is_group]
    lost = {
        name: f"{epochs.why_absent(name) or 'is damaged'}; there is no row of it"
        for name, child in children.items()
        if child is None
    }
    return groups, lost


def _table(
    name: str,
    groups: list[Node],
    ids: range | list[int],
    elsewhere: dict[str, Node],
    lost: dict[str, str],
) -> MadeGroup:
    path = f"/intervals/{name}"
    found, absent = gather_columns(groups, path)
    columns: dict[str, Node] = {"start_time": MadeData(path, np.full(len(groups), np.nan))}
    columns |= {key: found.pop(key) for key in ("start_time", "stop_time") if key in found}
    names = np.array([group.name for group in groups], dtype=np.str_)
    columns["epoch"] = MadeData(f"{path}/epoch", names, {"description": "name in the file"})
    columns |= found
    for key, node in elsewhere.items():
        columns.setdefault(key, node)
    return made_table(
        path, np.array(ids, dtype=np.int64), columns, {**lost, **absent},
        kind="TimeIntervals", description="groups of /epochs",
    )  # fmt: skip


def _per_trial(root: Node, n_trials: int) -> dict[str, Node]:
    """Find lists of one value per trial: cues, and what the lab stored in ``/analysis``."""
    path = "/intervals/trials"
    found: dict[str, Node] = {}
    presented = root.absolute("/stimulus/presentation")
    for name in presented.names if presented is not None else ():
        group = presented.child(name) if presented is not None else None
        times = _values(group, "timestamps", n_trials)
        if group is None or times is None:
            continue
        words = f"{words_of(group, 'description')} ({group.path}/timestamps)".strip()
        about = {"description": words, "unit": "s"}
        found[f"{name}_time"] = MadeData(f"{path}/{name}_time", times.ravel(), about)
    analysis = root.child("analysis") if "analysis" in root.names else None
    for name in analysis.names if analysis is not None else ():
        values = _values(analysis, name, n_trials)
        if values is not None and name not in (_NAMES, _MATRIX):
            about = {"description": f"/analysis/{name}"}
            found[name] = MadeData(f"{path}/{name}", values.ravel(), about)
    if analysis is not None:
        found |= _types(analysis, n_trials)
    return found


def _types(analysis: Node, n_trials: int) -> dict[str, Node]:
    """Make a column of 0 and 1 for each kind of trial from a matrix and its rows' names."""
    names = _values(analysis, _NAMES)
    if names is None or names.size == n_trials:
        return {}
    matrix = _values(analysis, _MATRIX, n_trials * names.size)
    if matrix is None:
        return {}
    if matrix.shape == (n_trials, names.size):
        matrix = matrix.T
    if matrix.shape != (names.size, n_trials):
        return {}
    about = {"description": f"row of /analysis/{_MATRIX}"}
    return {
        str(name): MadeData(f"/intervals/trials/{name}", np.ascontiguousarray(row), about)
        for name, row in zip(names.ravel().tolist(), matrix, strict=True)
        if str(name).strip()
    }


def _stimuli(root: Node) -> dict[str, Node]:
    """Stimuli shown many times: ``timestamps`` of start and stop, and features of each."""
    presented = root.absolute("/stimulus/presentation")
    found: dict[str, Node] = {}
    for name in natural_order(presented.names) if presented is not None else ():
        group = presented.child(name) if presented is not None else None
        shape = _shape(group, "timestamps")
        times = _values(group, "timestamps") if len(shape) == 2 and shape[1] == 2 else None
        if group is None or times is None:
            continue
        path = f"/intervals/{name}"
        columns: dict[str, Node] = {
            key: MadeData(f"{path}/{key}", np.ascontiguousarray(times[:, k]))
            for k, key in enumerate(("start_time", "stop_time"))
        }
        features = _values(group, "features")
        n_features = features.size if features is not None else 0
        data = _values(group, "data", len(times) * n_features) if n_features else None
        if features is not None and data is not None and data.shape == (len(times), n_features):
            for k, feature in enumerate(features.ravel().tolist()):
                column = MadeData(f"{path}/{feature}", np.ascontiguousarray(data[:, k]))
                columns.setdefault(str(feature), column)
        found[name] = made_table(
            path, np.arange(len(times)), columns, {},
            kind="TimeIntervals", description=words_of(group, "description") or group.path,
        )  # fmt: skip
    return found


def _shape(group: Node | None, name: str) -> tuple[int, ...]:
    data = group.child(name) if group is not None and holds_data(group, name) else None
    return data.shape if data is not None else ()


def _values(group: Node | None, name: str, size: int | None = None) -> np.ndarray | None:
    """Numbers or text of a data set (of a size); None where there is no such thing."""
    data = group.child(name) if group is not None and holds_data(group, name) else None
    if data is None or data.holds not in ("numbers", "text"):
        return None
    if size is not None and int(np.prod(data.shape)) != size:
        return None
    try:
        return data.read()
    except DAMAGE:
        return None
