"""What the README and the pages say is what happens."""

import doctest
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import popdyn as pdn

ROOT = Path(__file__).parents[1]
PAGES = [
    path
    for path in sorted((ROOT / "docs").rglob("*.rst"))
    if not path.relative_to(ROOT / "docs").as_posix().startswith(("gallery", "api/", "_build"))
]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def _blocks(path):
    """Indented blocks after ``::`` that use popdyn, without their indent."""
    text = path.read_text()
    blocks = re.findall(r"::\n\n((?:   .*\n|\n)+)", text)
    return [textwrap.dedent(block) for block in blocks if "pdn." in block]


def _name(path):
    return path.relative_to(ROOT).as_posix()


def _python_of_the_readme():
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return block


def _without_build(folder):
    """A folder that sees data and examples as a clone does, and keeps what is written."""
    for name in ("data", "examples"):
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    (folder / "build").mkdir()
    return folder


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_the_examples_of_a_page_give_what_it_shows(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    failed, _ = doctest.testfile(str(path), module_relative=False, optionflags=FLAGS)
    assert failed == 0


@pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")
def test_the_blocks_of_getting_started_run_one_after_another(monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = _blocks(ROOT / "docs" / "getting_started.rst")
    assert len(blocks) >= 5
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["decoding"].attrs["method"] == "decode"
    assert float(names["decoding"]["mean_accuracy"]) > 0.6


def test_the_python_of_the_readme_runs_as_printed(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-c", _python_of_the_readme()],
        cwd=_without_build(tmp_path),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_python_of_the_readme_is_about_ten_lines():
    statements = [line for line in _python_of_the_readme().splitlines() if line.strip()]
    assert len(statements) <= 12


def test_every_file_the_readme_points_to_is_there():
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r"data/[\w.-]+\.\w+", text)
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert missing == []


def test_every_make_target_the_readme_and_ci_name_is_there():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set()
    for name in ("README.md", ".ci/run", "docs/getting_started.rst"):
        text = (ROOT / name).read_text()
        named |= set(re.findall(r"(?:^ *|`|stage \"[a-z ]+\" )make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test", "lint", "docs"} <= named
    assert named <= targets


def test_the_api_page_lists_every_name_of_the_front_door():
    listed = set(
        re.findall(r"^   ([\w.]+)$", (ROOT / "docs" / "api.rst").read_text(), re.MULTILINE)
    )
    announced = set(pdn.__all__) - {"__version__", *pdn._NAMESPACES}
    assert announced <= listed, sorted(announced - listed)
    for namespace in pdn._NAMESPACES:
        module = getattr(pdn, namespace)
        names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0].isupper()]
        assert {f"{namespace}.{name}" for name in names} <= listed, namespace
    for name in listed:
        value = pdn
        for part in name.split("."):
            value = getattr(value, part)


def test_one_version_is_told_everywhere():
    version = pdn.__version__
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_constraints_are_plain_pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", line) for line in pins)
    assert len({line.split("==")[0] for line in pins}) == len(pins)


def test_the_oldest_set_is_what_the_project_says_it_accepts():
    text = (ROOT / "pyproject.toml").read_text()
    dependencies = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL).group(1)
    bounds = dict(re.findall(r'"([\w-]+)>=([\d.]+)"', dependencies))
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)$", _oldest(), re.MULTILINE))
    pins.pop("click")  # which the oldest typer needs as old as itself
    assert bounds.keys() == pins.keys()
    for name, bound in bounds.items():
        assert f"{pins[name]}.".startswith(f"{bound}."), name


def _oldest():
    return (ROOT / "constraints-oldest.txt").read_text()


def test_the_small_spec_of_the_comparison_page_gives_every_number(tmp_path):
    text = (ROOT / "docs" / "comparison.rst").read_text()
    block = re.search(r"code-block:: toml\n\n((?:   .*\n|\n)+)", text).group(1)
    spec = textwrap.dedent(block).replace("../../data", (ROOT / "data").as_posix())
    (tmp_path / "spec.toml").write_text(spec)
    card = pdn.compare(tmp_path / "spec.toml")["comparison/scorecard"]
    assert (card["reason"] == "").all()
