"""The command line: describe, compare, report, simulate, train, demo.

A user's mistake is one line on stderr and exit code 2; a traceback needs ``--debug``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from popdyn import __version__
from popdyn.errors import PopdynError, PopdynWarning, SourceError

if TYPE_CHECKING:
    import xarray as xr

    from popdyn.comparison.network_source import Draft
    from popdyn.comparison.source_spec import ModelSpec

# Everything else is imported by the command that needs it: help must come at once.

MISTAKE, STOPPED = 2, 130
# typer has its own copy of click from some version on: take the class it really raises.
_UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="popdyn",
    help="Compare trained recurrent networks with neural recordings.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="How many pieces run at once.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")]
Seed = Annotated[int | None, typer.Option(help="Seed of every random draw.")]
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC.toml", help="The comparison spec.")]
ModelFile = Annotated[
    Path | None, typer.Argument(metavar="[MODEL.toml]", help="Network, task and settings.")
]
SavedNetwork = Annotated[
    Path | None,
    typer.Option("--network", help="A saved network (.nc, .npz) instead of a random one."),
]
TaskName = Annotated[str | None, typer.Option("--task", help="Name of a task in pdn.tasks.")]
NNeurons = Annotated[int | None, typer.Option(min=1, help="Neurons of a random network.")]
Gain = Annotated[float | None, typer.Option("--g", help="Gain of its recurrent weights.")]
NRanks = Annotated[
    int | None, typer.Option(min=1, help="Make it a low-rank network, of this rank.")
]
NTrials = Annotated[int | None, typer.Option(min=1, help="Number of trials.")]


@app.callback(invoke_without_command=True)
def _popdyn(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: ARG001
) -> None:
    if version:
        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def describe(
    path: Annotated[str, typer.Argument(metavar="FILE.nwb", help="An NWB file.")],
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with pictures: an HTML file.")
    ] = None,
    trials: Annotated[
        str | None, typer.Option("--trials", help="Interval table of the trials on the page.")
    ] = None,
    align: Annotated[
        str | None, typer.Option("--align", help="Event to draw rates around, and to suggest.")
    ] = None,
) -> None:
    """Say what an NWB file holds, and what looks wrong in it; --html draws it."""
    from popdyn.io.nwb import describe_nwb

    if html is None and (trials is not None or align is not None):
        message = "--trials and --align choose what the page shows: give --html PAGE.html too"
        raise SourceError(message)
    target = None if html is None else _writable(html, Path(path))
    summary = describe_nwb(path)
    typer.echo(str(summary))
    if target is not None:
        from popdyn.reporting.recording_page import write_page

        typer.echo(f"page: {write_page(summary, path, target, trials=trials, align=align)}")


@app.command()
def compare(
    spec: SpecFile,
    output: Output = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Also write the report: an HTML file.")
    ] = None,
    jobs: Jobs = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no table.")] = False,
) -> None:
    """Run a comparison; write its results (SPEC.nc) and print the scorecard."""
    from popdyn.comparison.pipeline import compare as run
    from popdyn.comparison.scorecard import scorecard_text
    from popdyn.tensor.store import save

    target = _writable(output or Path(spec.with_suffix(".nc").name), spec)
    page = None if report is None else _writable(report, spec, target)
    tree = run(spec, progress=not quiet, n_jobs=jobs)
    if not quiet:
        typer.echo(scorecard_text(tree["comparison/scorecard"].to_dataset()))
    save(tree, target)
    typer.echo(f"results: {target}")
    if page is not None:
        _draw([tree], page, progress=not quiet)


@app.command()
def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS.nc...", help="Saved comparisons.")
    ],
    output: Output = None,
) -> None:
    """Draw the report of saved comparisons again, without computing."""
    from popdyn.tensor.store import load

    target = _writable(output or results[0].with_suffix(".html"), *results)
    _draw([load(path) for path in results], target)


@app.command()
def simulate(
    model: ModelFile = None,
    output: Output = None,
    task: TaskName = None,
    network: SavedNetwork = None,
    n_neurons: NNeurons = None,
    g: Gain = None,
    n_ranks: NRanks = None,
    n_trials: NTrials = None,
    observe: Annotated[
        int | None, typer.Option(min=1, help="See spikes of this many neurons: a Session.")
    ] = None,
    seed: Seed = None,
) -> None:
    """Run a network on a task; write its rates (.nc), or what is seen of its spikes (.nc, .nwb)."""
    from popdyn.comparison.network_source import draft, trained

    given: dict[str, Any] = {"simulate": {"n_trials": n_trials}, "observe": {"n_neurons": observe}}
    spec = _model(model, task, _network(network, n_neurons, g, n_ranks), given, seed)
    target = _writable(output or Path("simulation.nc"), model, network)
    if target.suffix not in (".nc", ".nwb"):
        message = f"rates are written as .nc, spikes as .nc or .nwb: change the ending of {target}"
        raise SourceError(message)
    if target.suffix == ".nwb" and target.exists():
        message = f"{target} exists, and a recording is never replaced: name another file"
        raise SourceError(message)
    typer.echo(_simulate(trained(draft(spec, spec.seed), spec.seed), spec, target))


@app.command()
def train(
    model: ModelFile = None,
    output: Output = None,
    task: TaskName = None,
    n_neurons: NNeurons = None,
    g: Gain = None,
    n_ranks: NRanks = None,
    n_trials: NTrials = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help="reservoir, force, full_force or backprop.")
    ] = None,
    seed: Seed = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Where the state is kept; beside the output by default.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Train a network for each, such as 0-4, into a folder.")
    ] = None,
    jobs: Jobs = 1,
) -> None:
    """Train a network on a task; write it and its history.  Stopped, it goes on when run again."""
    from popdyn.comparison.trained_files import (
        refuse_failed,
        table_text,
        train_file,
        train_folder,
    )

    given = {"train": {"n_trials": n_trials, "rule": rule}}
    spec = _model(model, task, _network(None, n_neurons, g, n_ranks), given, seed)
    if seeds is None:
        target = _writable(output or Path("network.nc"), model)
        typer.echo(train_file(spec, target, checkpoint))
        return
    if seed is not None or checkpoint is not None:
        message = "--seeds says the seeds and keeps checkpoints itself: leave --seed, --checkpoint"
        raise SourceError(message)
    folder = output or Path("networks")
    name = "network" if model is None else model.stem.replace(".", "_")
    table = train_folder(spec, seeds, folder, name, jobs)
    typer.echo(f"{table_text(table)}\nnetworks: {folder}")
    refuse_failed(table)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")] = Path(
        "build/report.html"
    ),
    jobs: Jobs = 1,
) -> None:
    """Compare the shipped recordings with simulated networks; write build/report.html."""
    from popdyn.comparison.pipeline import compare as run

    specs = _shipped_specs()
    output.parent.mkdir(parents=True, exist_ok=True)
    target = _writable(output)
    trees = []
    for spec in specs:
        typer.echo(f"comparing: {spec.name}")
        trees.append(run(spec, n_jobs=jobs))
    _draw(trees, target)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``popdyn``; by default what the shell gave.

    Raises
    ------
    SystemExit
        Always: 0 when all went well, 2 after a user's mistake, 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [word for word in given if word != "--debug"]
    with warnings.catch_warnings():
        warnings.simplefilter("default" if debug else "ignore")
        warnings.simplefilter("always", PopdynWarning)
        if not debug:
            warnings.showwarning = _one_line
        code = _run(given, debug=debug)
    raise SystemExit(code)


def _run(given: list[str], *, debug: bool) -> int:
    """Run a command and turn what went wrong into a line and an exit code."""
    try:
        code = app(args=given, prog_name="popdyn", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except _UsageError as error:
        _complain(f"{error.format_message()} (popdyn --help lists what there is)")
        return MISTAKE
    except (PopdynError, OSError) as error:
        if debug:
            raise
        _complain(str(error))
        return MISTAKE
    if code == STOPPED:  # newer versions of typer return it instead of raising
        _complain("stopped; no file was left half-written")
    return code if isinstance(code, int) else 0


def _complain(message: str) -> None:
    typer.echo("popdyn: " + " ".join(message.split()), err=True)


def _one_line(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
    """Print a warning as one line; where in the code it arose is nothing to a user."""
    del category, rest, more
    typer.echo("warning: " + " ".join(str(message).split()), err=True)


def _writable(path: Path, *inputs: Path | None) -> Path:
    """Refuse an output that cannot be written, or is an input, before work is spent on it."""
    if any(path.resolve() == given.resolve() for given in inputs if given is not None):
        message = f"{path} is an input, or written already: name another file to write"
        raise SourceError(message)
    if path.is_dir():
        message = f"{path} is a folder: name the file to write"
        raise SourceError(message)
    if not path.parent.is_dir():
        message = f"cannot write {path}: the folder {path.parent} does not exist; make it first"
        raise SourceError(message)
    return path


def _draw(trees: list[xr.DataTree], target: Path, *, progress: bool = True) -> None:
    from popdyn.reporting.chapters import report as write

    typer.echo(f"report: {write(trees, target, progress=progress)}")


def _network(
    saved: Path | None, n_neurons: int | None, g: float | None, n_ranks: int | None
) -> dict[str, Any]:
    """Return the keys of a network that the command line gives."""
    if saved is not None and any(given is not None for given in (n_neurons, g, n_ranks)):
        message = "--network names a network that is made: leave --n-neurons, --g, --n-ranks out"
        raise SourceError(message)
    if g is not None and n_ranks is not None:
        message = "--g is the gain of weights of full rank: leave it out, or leave --n-ranks out"
        raise SourceError(message)
    return {
        "path": None if saved is None else str(saved.expanduser().absolute()),
        "kind": None if n_ranks is None else "low_rank",
        "n_neurons": n_neurons,
        "n_ranks": n_ranks,
        "g": g,
    }


def _simulate(plan: Draft, spec: ModelSpec, target: Path) -> str:
    """Write what a simulation gives; say what it is."""
    from popdyn.comparison.network_source import observe_draft, simulate_draft, spikes_of
    from popdyn.io.nwb_write import write_nwb
    from popdyn.network.spiking import Spiking
    from popdyn.tensor.store import save

    as_nwb = target.suffix == ".nwb"
    if spec.observe is None and as_nwb and not isinstance(plan.net, Spiking):
        message = f"{target} is to hold spikes: say of how many neurons, for instance --observe 30"
        raise SourceError(message)
    if spec.observe is None and not as_nwb:
        save(simulate_draft(plan, spec.seed), target)
        return f"rates: {target}"
    if spec.observe is None:
        session = spikes_of(plan, spec.seed)
    else:
        session = observe_draft(plan, simulate_draft(plan, spec.seed), spec.seed)
    if as_nwb:
        write_nwb(target, session)
    else:
        save(session, target)
    return f"session: {target}"


def _model(
    path: Path | None,
    task: str | None,
    network: dict[str, Any],
    given: dict[str, dict[str, Any]],
    seed: int | None,
) -> Any:
    """Read a model's tables, with the options of the command line over them."""
    from popdyn.comparison.spec import load_model

    options = {"network": network, "task": {"name": task}, **given}
    filled = {
        name: {key: value for key, value in table.items() if value is not None}
        for name, table in options.items()
    }
    return load_model(path, {name: table for name, table in filled.items() if table}, seed)


def _shipped_specs() -> list[Path]:
    """Find the specs of the demo: in the current checkout, or the one popdyn runs from."""
    for root in (Path.cwd(), Path(__file__).resolve().parents[1]):
        specs = sorted((root / "examples" / "reports").glob("*.toml"))
        if specs and (root / "data").is_dir():
            return specs
    message = (
        "the demo needs the recordings and specs of the repository (data/, examples/reports/), "
        f"which an installed popdyn does not carry: clone it and run 'popdyn demo' there, not in "
        f"{Path.cwd()}"
    )
    raise SourceError(message)
