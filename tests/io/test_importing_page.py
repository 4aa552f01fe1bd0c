"""The page "Importing NWB" quotes what popdyn says, and arguments that exist."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import popdyn as pdn

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "importing_nwb.rst").read_text()


def _rows():
    """Cells of every row of the tables, headings left out."""
    rows = []
    for block in re.split(r"\n\n(?=\S)", PAGE):
        if ":class: lines" not in block:
            continue
        for row in block.split("\n   * - ")[2:]:
            rows.append([" ".join(cell.split()) for cell in row.split("\n     -")])
    return rows


def _quoted(cell):
    return re.findall(r"``(.+?)``(?!`)", cell)


def _said():
    """Every text of popdyn.io, with ``…`` where a value is filled in."""
    found = []
    for file in sorted((ROOT / "popdyn" / "io").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "…" for p in node.values]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(re.sub(r"…([^\w\s(]*…)+", "…", " ".join(text.split())) for text in found)


SAID = _said()


def _plain(line):
    return re.sub(r"…([^\w\s(]*…)+", "…", line)


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0][:40])
def test_every_row_has_four_cells_and_quotes_lines_that_popdyn_says(row):
    assert len(row) == 4
    assert row[0]
    assert row[1]
    assert [line for line in _quoted(row[2]) if _plain(line) not in SAID] == []


def test_every_argument_of_the_page_is_one_of_reading():
    known = {*inspect.signature(pdn.read_session).parameters, "neurons", "select_trials"}
    named = {re.match(r"(\w+)=", line) for row in _rows() for line in _quoted(row[3])}
    assert {match[1] for match in named if match} <= known
    assert {
        "clocks",
        "units",
        "shift",
        "restart_offset",
        "overlaps",
        "observed",
        "neuron_table",
    } <= {match[1] for match in named if match}
