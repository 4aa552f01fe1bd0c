"""What `popdyn.write_nwb` put beside the tables of a file, as far as reading series needs it."""

from __future__ import annotations

from pydantic import ValidationError

from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.node import Node
from popdyn.io.writing.restore import SCRATCH_NAME, Record
from popdyn.tensor.behavior import KINDS


def stored_text(root: Node) -> str:
    """Return the text of an open file; ``""`` where there is none that can be read."""
    data = root.absolute(f"/scratch/{SCRATCH_NAME}")
    try:
        is_text = data is not None and not data.is_group and data.holds == "text"
        return str(data.read().ravel()[0]) if data is not None and is_text else ""
    except DAMAGE:
        return ""


def written_kinds(text: str) -> dict[str, str]:
    """Return whether each behavior series was written as ``series`` or ``events``, by its path.

    Nothing is known from text that is no record.
    """
    try:
        record = Record.model_validate_json(text)
    except ValidationError:
        return {}
    kinds = {series.path: str(series.attrs.get("kind")) for series in record.behavior}
    return {path: kind for path, kind in kinds.items() if kind in KINDS}
