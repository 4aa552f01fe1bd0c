from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import popdyn as pdn
from popdyn import cli
from popdyn.comparison.tables import toml_text
from popdyn.errors import PopdynWarning
from tests.comparison.conftest import tensor

ROOT = Path(__file__).parents[1]
HUMAN = ROOT / "data" / "human_mtl_boundaries_sub-4_ses-4.nwb"


@pytest.fixture
def run(capsys):
    """Run the command line; give its exit code, what it printed, and its lines on stderr."""

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err.splitlines()

    return run


@pytest.fixture
def spec(tmp_path):
    """A spec of one saved tensor, which computes in no time."""
    pdn.save(tensor(["left", "right", ""] * 8), tmp_path / "a.nc")
    tables = {
        "alignment": {"window": [0.0, 0.4], "bin_width": 0.1},
        "conditions": {"by": "choice"},
        "analyses": {"condition_average": {}},
        "source": [{"id": "a", "kind": "tensor", "path": "a.nc", "align": "go_time"}],
    }
    path = tmp_path / "spec.toml"
    path.write_text(toml_text(tables))
    return path


def test_help_and_version_are_printed_and_exit_with_zero(run):
    code, out, err = run("--help")
    assert (code, err) == (0, [])
    assert all(
        name in out for name in ("describe", "compare", "report", "simulate", "train", "demo")
    )
    assert run()[0] == 0
    assert run("--version") == (0, pdn.__version__ + "\n", [])
    assert "--jobs" in run("compare", "--help")[1]


def test_help_imports_nothing_slow():
    code = (
        "import sys, popdyn.cli\n"
        "slow = {'numpy', 'xarray', 'pandas', 'pynwb', 'matplotlib', 'sklearn', 'pydantic'}\n"
        "sys.exit(' '.join(slow & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_describe_prints_what_a_file_holds(run):
    code, out, err = run("describe", HUMAN)
    assert (code, err) == (0, [])
    assert "encoding_table" in out
    assert "35" in out


def test_describe_writes_a_page_beside_the_table(run, tmp_path):
    page = tmp_path / "human.html"
    words = ("--trials", "encoding_table", "--align", "boundary1_time")
    code, out, err = run("describe", HUMAN, "--html", page, *words)
    assert (code, err) == (0, [])
    assert "encoding_table: 90 rows" in out
    assert out.endswith(f"page: {page}\n")
    assert "around boundary1_time" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--html", HUMAN), "is an input, or written already: name another file to write"),
        (("--html", "/nowhere/x.html"), "the folder /nowhere does not exist"),
        (("--align", "boundary1_time"), "choose what the page shows: give --html PAGE.html too"),
        (("--html", "x.html", "--align", "boundary_time"), "has no event in encoding_table"),
        (("--html", "x.html", "--trials", "encoding"), "has no interval table 'encoding'"),
    ],
)
def test_a_page_that_cannot_be_written_is_one_line_and_two(run, words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("describe", HUMAN, *words)
    assert code == 2
    assert len(err) == 1
    assert told in err[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("describe", "nowhere.nwb"), "there is no file nowhere.nwb"),
        (("describe",), "Missing argument"),
        (("descrbe", "x"), "No such command 'descrbe'"),
        (("compare", "x.toml", "--job", "2"), "--job"),
        (("compare", "nowhere.toml"), "no spec file at nowhere.toml"),
        (("report", "nowhere.nc"), "there is no file nowhere.nc"),
        (("simulate", "-o", "/nowhere/x.nc"), "the folder /nowhere does not exist"),
        (("simulate", "-o", "/"), "is a folder: name the file to write"),
        (("train", "--task", "Perceptual"), "did you mean 'PerceptualDecision'"),
        (("simulate", "--g", "high"), "Invalid value for '--g'"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_two(run, words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert len(err) == 1
    assert err[0].startswith("popdyn: ")
    assert told in err[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        b"",
        b"not a recording",
    ],
)
def test_an_invalid_file_is_one_line_and_exit_code_two(run, tmp_path, content):
    path = tmp_path / "broken.nwb"
    path.write_bytes(content)
    code, out, err = run("describe", path)
    assert (code, out, len(err)) == (2, "", 1)
    assert "broken.nwb" in err[0]


def test_a_traceback_is_shown_with_debug_only(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("sead = 1")
    command = [sys.executable, "-m", "popdyn", "compare", str(path)]
    plain = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    debug = subprocess.run(
        [*command, "--debug"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert plain.returncode == 2
    assert "Traceback" not in plain.stderr
    assert "unknown key 'sead'; did you mean 'seed'?" in plain.stderr
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr


def test_compare_writes_results_and_prints_scorecard_and_warnings(run, spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("compare", spec)
    assert code == 0
    assert err == ["warning: source 'a': 8 trials have no value of choice and were left out."]
    assert "trials in the smallest condition\n    a: 8" in out
    assert out.endswith("results: spec.nc\n")
    assert "sources" in pdn.load(tmp_path / "spec.nc")


def test_compare_quietly_prints_where_the_results_are_and_no_more(run, spec, tmp_path):
    target = tmp_path / "x.nc"
    assert run("compare", spec, "-o", target, "--quiet")[1] == f"results: {target}\n"


def test_report_draws_saved_results_again(run, spec, tmp_path):
    results, page = tmp_path / "x.nc", tmp_path / "page.html"
    run("compare", spec, "-o", results, "--report", page)
    first = page.read_bytes()
    page.unlink()
    code, out, _ = run("report", results, "-o", page)
    assert (code, out) == (0, f"report: {page}\n")
    assert page.read_bytes() == first


def test_what_is_wrong_with_an_output_is_said_before_any_work(run, spec, tmp_path, monkeypatch):
    def worked(*_, **__):
        raise AssertionError

    monkeypatch.setattr("popdyn.comparison.pipeline.compare", worked)
    for option in ("-o", "--report"):
        code, _, err = run("compare", spec, option, tmp_path / "no" / "x")
        assert code == 2
        assert "make it first" in err[0]


def test_ctrl_c_exits_with_130_and_leaves_no_file(run, spec, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("xarray.DataTree.to_netcdf", interrupted)
    before = sorted(tmp_path.iterdir())
    code, _, err = run("compare", spec, "-o", tmp_path / "x.nc")
    assert code == 130
    assert err[-1] == "popdyn: stopped; no file was left half-written"
    assert sorted(tmp_path.iterdir()) == before


def test_simulate_writes_rates_or_a_session(run, tmp_path):
    options = ("--n-neurons", 20, "--n-trials", 6, "--seed", 3, "-o")
    code, out, _ = run("simulate", *options, tmp_path / "rates.nc")
    assert (code, out) == (0, f"rates: {tmp_path / 'rates.nc'}\n")
    rates = pdn.load(tmp_path / "rates.nc")["rate"]
    assert (rates.sizes["neuron"], rates.sizes["trial"]) == (20, 6)
    run("simulate", "--observe", 4, *options, tmp_path / "session.nc")
    session = pdn.load(tmp_path / "session.nc")
    assert session.sizes["neuron"] == 4
    assert "spike_time" in session


def test_a_saved_network_of_either_kind_is_written_as_a_recording(run, tmp_path):
    rate = pdn.network.Rate.random(15, n_inputs=2, rng=0)
    spiking = pdn.network.Spiking.random(15, n_inputs=2, rng=0)
    options = ("--task", "DelayedMatch", "--n-trials", 4)
    for net, seen, n_seen in ((rate, ("--observe", 6), 6), (spiking, ("--observe", 6), 6),
                              (spiking, (), 15)):  # fmt: skip
        path, target = pdn.save(net, tmp_path / "net.nc"), tmp_path / "sim.nwb"
        code, out, err = run("simulate", "--network", path, *options, *seen, "-o", target)
        assert (code, out, err) == (0, f"session: {target}\n", [])
        session = pdn.read_session(target)
        assert session.sizes["neuron"] == n_seen
        assert {"sample_on_time", "test_on_time", "choice", "correct"} <= set(session.coords)
        assert pdn.align(session, "test_on_time", (0.0, 0.2)).sizes["trial"] == 4
        target.unlink()
    code, out, _ = run("simulate", "--network", path, *options, "-o", tmp_path / "rates.nc")
    assert (code, out) == (0, f"rates: {tmp_path / 'rates.nc'}\n")
    assert pdn.load(tmp_path / "rates.nc")["rate"].attrs["units"] == "Hz"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("-o", "x.nwb"),
            "x.nwb is to hold spikes: say of how many neurons, for instance --observe",
        ),
        (
            ("-o", "x.h5"),
            "rates are written as .nc, spikes as .nc or .nwb: change the ending of x.h5",
        ),
        (("--observe", 3, "-o", "old.nwb"), "old.nwb exists, and a recording is never replaced"),
        (("--network", "net.nc", "--g", 1.5), "leave --n-neurons, --g, --n-ranks out"),
        (("--network", "nowhere.nc"), "leads to no file"),
        (("--network", "sim.nc"), "sim.nc holds no network but a"),
        (("--network", "net.nc", "-o", "net.nc"), "net.nc is an input"),
        (("--network", "net.nc", "--task", "DelayedMatch"), "n_inputs=2"),
        (("--network", "net.nc", "--observe", 16), "n_neurons must be a whole number from 1 to 15"),
    ],
)
def test_a_simulation_that_cannot_be_is_one_line_and_two(run, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    net = pdn.network.Rate.random(15, rng=0)
    pdn.save(net, "net.nc")
    Path("old.nwb").touch()
    pdn.save(pdn.simulate(net, duration=0.1), "sim.nc")
    before = sorted(tmp_path.iterdir())
    code, out, err = run("simulate", "--n-trials", 3, *words)
    assert (code, out, len(err)) == (2, "", 1)
    assert told in err[0]
    assert sorted(tmp_path.iterdir()) == before


def test_the_same_seed_simulates_the_same(run, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        words = ("--n-neurons", 5, "--n-trials", 2, "--seed", seed)
        run("simulate", *words, "-o", tmp_path / f"{name}.nc")
    first, same, other = (pdn.load(tmp_path / f"{name}.nc") for name in "abc")
    assert first.identical(same)
    assert not first["rate"].equals(other["rate"])


def test_a_trained_network_is_written_with_its_history_and_can_be_simulated(run, tmp_path):
    path, model = tmp_path / "net.nc", tmp_path / "model.toml"
    code, out, _ = run("train", "--n-neurons", 40, "--n-trials", 40, "-o", path)
    assert code == 0
    assert "accuracy on fresh trials: " in out
    assert "accuracy" in pdn.load(tmp_path / "net_history.nc")
    tables = {"network": {"path": "net.nc"}, "task": {"name": "PerceptualDecision"}}
    model.write_text(toml_text(tables))
    code, _, err = run("simulate", model, "--n-trials", 3, "-o", tmp_path / "sim.nc")
    assert (code, err) == (0, [])
    assert pdn.load(tmp_path / "sim.nc")["rate"].sizes["neuron"] == 40


def test_the_demo_compares_the_specs_of_the_checkout(run, spec, tmp_path, monkeypatch):
    folder = tmp_path / "checkout"
    (folder / "examples" / "reports").mkdir(parents=True)
    (folder / "data").mkdir()
    text = spec.read_text().replace("a.nc", str(tmp_path / "a.nc"))
    for name in ("one", "two"):
        (folder / "examples" / "reports" / f"{name}.toml").write_text(text)
    monkeypatch.chdir(folder)
    code, out, _ = run("demo")
    assert code == 0
    assert out == "comparing: one.toml\ncomparing: two.toml\nreport: build/report.html\n"
    assert (folder / "build" / "report.html").stat().st_size > 1000


def test_the_demo_says_what_it_needs_where_there_is_no_checkout(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "popdyn" / "cli.py"))
    code, _, err = run("demo")
    assert code == 2
    assert "clone it and run 'popdyn demo' there" in err[0]


def test_the_command_line_leaves_the_warnings_of_python_as_they_were(run):
    before = warnings.showwarning
    run("--version")
    assert warnings.showwarning is before
    with pytest.warns(PopdynWarning):
        warnings.warn("still a warning", PopdynWarning, stacklevel=1)


@pytest.mark.parametrize("words", [["-o", "spec.toml"], ["--report", "spec.toml"]])
def test_an_output_never_replaces_an_input(run, spec, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    before = spec.read_bytes()
    code, _, err = run("compare", "spec.toml", *words)
    assert code == 2
    assert "spec.toml is an input" in err[-1]
    assert spec.read_bytes() == before


def test_results_are_not_replaced_by_their_report(run, spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("compare", "spec.toml", "--quiet")[0] == 0
    before = (tmp_path / "spec.nc").read_bytes()
    code, _, err = run("report", "spec.nc", "-o", "spec.nc")
    assert (code, "is an input" in err[-1]) == (2, True)
    assert (tmp_path / "spec.nc").read_bytes() == before
