"""The front door: every name opens, twice, and opening it costs nothing that is not used."""

import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys

import pytest

import popdyn as pdn

FUNCTIONS = [name for name in pdn._FUNCTIONS if not name.endswith(("Error", "Warning"))]
NAMESPACES = list(pdn._NAMESPACES)
SUBMODULES = [
    module.name
    for module in pkgutil.walk_packages(pdn.__path__, prefix="popdyn.")
    if not module.name.endswith("__main__")
]
HEAVY = ["numpy", "scipy", "xarray", "pandas", "matplotlib", "pynwb", "sklearn", "numba"]


def _python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, stdin=None
    )
    return done.stdout


def _functions_of(namespace):
    module = getattr(pdn, namespace)
    return [
        (f"{namespace}.{name}", value)
        for name, value in sorted(vars(module).items())
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", "").startswith("popdyn")
        and not getattr(value, "_is_protocol", False)
    ]


def _public_callables():
    named = [(name, getattr(pdn, name)) for name in FUNCTIONS]
    return named + [pair for namespace in NAMESPACES for pair in _functions_of(namespace)]


def test_every_callable_of_the_front_door_stays_callable_after_importing_every_submodule():
    for name in SUBMODULES:
        importlib.import_module(name)
    for _ in range(2):
        for name in FUNCTIONS:
            assert callable(getattr(pdn, name)), f"pdn.{name} became {getattr(pdn, name)!r}"
        for name in NAMESPACES:
            assert inspect.ismodule(getattr(pdn, name))


def test_the_same_holds_in_a_fresh_interpreter_that_imports_the_submodules_first():
    code = f"""
import importlib
for name in {SUBMODULES!r}:
    importlib.import_module(name)
import popdyn as pdn
for turn in range(2):
    for name in {FUNCTIONS!r}:
        assert callable(getattr(pdn, name)), name
print("open")
"""
    assert _python(code).strip().endswith("open")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_of_the_front_door_bears_the_name_of_a_package(name):
    top_level = {module.split(".")[1] for module in SUBMODULES}
    assert name not in top_level


def test_everything_announced_is_there_and_listed():
    assert set(pdn.__all__) <= set(dir(pdn))
    for name in pdn.__all__:
        assert getattr(pdn, name) is not None


def test_an_unknown_name_is_an_attribute_error_that_says_so():
    with pytest.raises(AttributeError, match="popdyn has no 'align_all'"):
        _ = pdn.align_all


def test_importing_popdyn_loads_none_of_the_slow_packages():
    code = "import json, sys, popdyn; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(_python(code)))
    assert loaded.isdisjoint(HEAVY), sorted(loaded.intersection(HEAVY))


@pytest.mark.parametrize(
    ("used", "unwanted"),
    [
        ("align", ["matplotlib", "pynwb", "sklearn", "statsmodels", "scipy.stats"]),
        ("condition_average", ["matplotlib", "pynwb", "sklearn", "statsmodels", "scipy.stats"]),
        ("TensorError", ["matplotlib", "pynwb", "sklearn", "statsmodels", "scipy.stats"]),
    ],
)
def test_using_one_name_loads_only_what_it_needs(used, unwanted):
    code = f"import json, sys, popdyn; popdyn.{used}; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(_python(code)))
    assert loaded.isdisjoint(unwanted), sorted(loaded.intersection(unwanted))


def test_importing_popdyn_leaves_no_traces_in_other_packages():
    code = """
import warnings, xarray, numpy, matplotlib
before = (dict(xarray.get_options()), numpy.get_printoptions(), dict(matplotlib.rcParams),
          list(warnings.filters), numpy.random.get_state()[1].tolist())
import popdyn
for name in popdyn.__all__:
    getattr(popdyn, name)
after = (dict(xarray.get_options()), numpy.get_printoptions(), dict(matplotlib.rcParams))
assert before[:3] == after, "an option changed"
assert before[4] == numpy.random.get_state()[1].tolist(), "the global random state moved"
print("untouched")
"""
    assert _python(code).strip().endswith("untouched")


def test_every_public_name_has_a_docstring_in_sections():
    lacking = []
    for name, value in _public_callables():
        text = inspect.getdoc(value) or ""
        if "Parameters\n----" not in text and inspect.signature(value).parameters:
            lacking.append(f"{name}: Parameters")
        if "Examples\n----" not in text:
            lacking.append(f"{name}: Examples")
    assert lacking == []


def test_every_parameter_is_described():
    """Each parameter's name stands at the start of a line of its docstring."""
    lacking = []
    for name, value in _public_callables():
        text = inspect.getdoc(value) or ""
        lines = re.findall(r"(?m)^([*\w]+(?:, [*\w]+)*)(?: :|$)", text)
        described = {word.strip(" *") for line in lines for word in line.split(",")}
        parameters = inspect.signature(value).parameters
        lacking += [f"{name}({p})" for p in parameters if p not in described]
    assert lacking == []


def test_what_is_random_takes_rng():
    for name, value in _public_callables():
        parameters = inspect.signature(value).parameters
        for forbidden in ("seed", "random_state", "random_seed"):
            assert forbidden not in parameters, f"{name}({forbidden}) is called rng here"


def test_errors_are_of_one_family():
    assert issubclass(pdn.TensorError, ValueError)
    assert issubclass(pdn.SourceError, ValueError)
    assert issubclass(pdn.SpecError, ValueError)
    assert issubclass(pdn.FitError, RuntimeError)
    for name in ("TensorError", "SourceError", "SpecError", "FitError"):
        assert issubclass(getattr(pdn, name), pdn.PopdynError)
    assert issubclass(pdn.PopdynWarning, UserWarning)
