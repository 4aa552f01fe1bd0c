"""The house keeps its walls: imports go one way, files stay small, no file is called utils."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "popdyn").rglob("*.py"))
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools"}


def _name(path):
    return path.relative_to(ROOT).as_posix()


def _lint_imports(config):
    command = Path(sys.executable).with_name("lint-imports")
    if not command.exists():
        command = shutil.which("lint-imports")
    return subprocess.run(
        [command, "--config", config, "--no-cache", "--no-logo"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def _imported(path):
    """(line, module) of every absolute import, and (line, None) of every relative one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, None if node.level else node.module


def test_imports_go_one_way():
    done = _lint_imports("pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_of_layers_can_fail(tmp_path):
    text = (ROOT / "pyproject.toml").read_text()
    upside_down = text.replace('    "errors",\n]', "]").replace(
        "layers = [\n", 'layers = [\n    "errors",\n'
    )
    assert upside_down != text
    config = tmp_path / "pyproject.toml"
    config.write_text(upside_down)
    done = _lint_imports(str(config))
    assert done.returncode != 0
    assert "data flows one way" in done.stdout


def test_no_module_is_named_after_nothing():
    named = [_name(p) for p in MODULES if p.stem in FORBIDDEN or p.parent.name in FORBIDDEN]
    assert named == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_stays_under_400_lines(path):
    n_lines = len(path.read_text().splitlines())
    assert n_lines < 400, f"{_name(path)} has {n_lines} lines: split it by subject"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_function_stays_under_60_lines_of_code(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            has_docstring = ast.get_docstring(node) is not None
            first = body[1] if has_docstring and len(body) > 1 else body[0]
            n_lines = node.end_lineno - first.lineno + 1
            assert n_lines <= 60, f"{_name(path)}: {node.name} has a body of {n_lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_are_absolute(path):
    relative = [line for line, module in _imported(path) if module is None]
    assert relative == [], f"{_name(path)} imports relatively at lines {relative}"


def test_pictures_never_import_analyses():
    for path in (ROOT / "popdyn" / "plot").glob("*.py"):
        for line, module in _imported(path):
            assert not (module or "").startswith("popdyn.analysis"), f"{_name(path)}:{line}"


def test_nothing_unpickles_or_evaluates():
    pattern = re.compile(r"\b(pickle|dill|cloudpickle|marshal|shelve)\b|allow_pickle\s*=\s*True")
    for path in MODULES:
        for line, module in _imported(path):
            assert not pattern.search(module or ""), f"{_name(path)}:{line} imports {module}"
        assert "allow_pickle=True" not in path.read_text().replace(" ", ""), _name(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, f"{_name(path)}:{node.lineno}"


def test_only_the_command_line_prints():
    for path in MODULES:
        if path.name in {"cli.py", "__main__.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{_name(path)}:{node.lineno} prints"


def test_random_numbers_come_from_a_generator_that_was_handed_in():
    pattern = re.compile(r"(np|numpy)\.random\.(seed|rand|randn|randint|choice|RandomState)\b")
    for path in MODULES:
        found = pattern.search(path.read_text())
        assert not found, f"{_name(path)}: {found and found.group()}"


def test_committed_files_name_no_machine_and_no_registry():
    """Paths of one machine, and hosts that packages come from, are nobody else's business."""
    forbidden = re.compile("|".join(["/wo" + "rk/", "/tm" + "p/w", "files.python" + "hosted"]))
    suffixes = {".py", ".md", ".rst", ".toml", ".txt", ".yaml", ".cff", ".css", ".html", ".json"}
    folders = ("popdyn", "tests", "benchmarks", "examples", "docs", "data", ".ci")
    listed = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in suffixes]
    listed += [p for p in ROOT.iterdir() if p.is_file()]
    built = ("docs/_build", "docs/gallery", "docs/api/generated")
    for path in listed:
        if _name(path).startswith(built):
            continue
        found = forbidden.search(path.read_text(errors="ignore"))
        assert not found, f"{_name(path)}: {found.group()}"
