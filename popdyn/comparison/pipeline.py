"""The comparison: every source through exactly the same steps, into one tree of results."""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib
import xarray as xr

from popdyn import __version__
from popdyn.comparison.agreement import (
    check_conditions,
    check_sources,
    conditions_of,
    in_one_order,
)
from popdyn.comparison.files import file_hashes
from popdyn.comparison.following import FOLLOWING
from popdyn.comparison.match import match_sources
from popdyn.comparison.network_source import Draft, draft, run
from popdyn.comparison.pooling import pools
from popdyn.comparison.scorecard import scorecard
from popdyn.comparison.shared_groups import shared_groups
from popdyn.comparison.source_spec import Network
from popdyn.comparison.sources import Prepared, prepare
from popdyn.comparison.spec import Spec, load_spec
from popdyn.comparison.steps import Outcome, analyze
from popdyn.errors import PopdynError, PopdynWarning
from popdyn.progress import Progress

_RECORDED = ("numpy", "scipy", "scikit-learn", "xarray", "pandas", "pynwb", "h5netcdf")


def compare(
    spec: str | Path | Mapping[str, Any] | Spec,
    *,
    progress: bool = True,
    n_jobs: int | None = None,
) -> xr.DataTree:
    """Compare sources as a spec says: read, align, match, analyze, and set side by side.

    Parameters
    ----------
    spec : path, mapping or Spec
        A TOML file, its tables as a mapping, or what ``load_spec`` gave.
    progress : bool, default True
        Show a progress bar on a terminal when the work takes more than two seconds.
    n_jobs : int, optional
        How many sources or analyses run at once (joblib); None is one, or what
        ``joblib.parallel_config`` says.  The results do not depend on it.

    Returns
    -------
    xarray.DataTree
        ``/sources/<id>/summary`` and ``/sources/<id>/<analysis>`` for every source, and
        ``/comparison/scorecard``; ``/comparison/pool_decoding/<group>`` and
        ``/comparison/selectivity_agreement`` where the spec asks for them.  The root's ``attrs``
        hold the spec, the seed, the versions, the digests of the inputs and the SHA-256 of their
        files: with them the tree can be had again, bit by bit.

    Raises
    ------
    SpecError
        If the spec cannot be run as written, or its sources do not fit each other: other
        bins, another event, a condition that only one of them has, Hz beside no unit.
    SourceError, TensorError
        If a file lacks what the spec asks of it; the message names the source.

    Warns
    -----
    PopdynWarning
        What looked wrong in a source, with the source's name; it is also in the tree.

    Examples
    --------
    >>> import popdyn as pdn
    >>> network = {
    ...     "id": "network", "kind": "network", "align": "stimulus_on_time",
    ...     "network": {"n_neurons": 30}, "task": {"name": "PerceptualDecision"},
    ...     "simulate": {"n_trials": 24},
    ... }
    >>> tree = pdn.compare({
    ...     "alignment": {"window": [0.0, 0.5], "bin_width": 0.1},
    ...     "conditions": {"by": "stimulus"},
    ...     "analyses": {"condition_average": {}},
    ...     "source": [network],
    ... })
    >>> float(tree["comparison/scorecard"]["value"].sel(measure="neurons", source="network"))
    30.0
    """
    record = load_spec(spec)
    steps = ("summary", *record.analyses.names)
    total = len(record.sources) * (1 + len(steps))
    with _named(record), Progress(total, "comparing", enabled=progress) as bar:
        sources = match_sources(_prepare_all(record, bar, n_jobs), record)
        outcomes: list[Outcome] = []
        # What some steps take must be there before them.
        for stage in (
            [n for n in steps if n not in FOLLOWING],
            [n for n in steps if n in FOLLOWING],
        ):
            calls = [_call(source, name, record, outcomes) for source in sources for name in stage]
            for outcome in _parallel(calls, n_jobs):
                bar.step(f"{outcome.source}: {outcome.analysis.replace('_', ' ')}")
                outcomes.append(outcome)
    _warn(sources, outcomes)
    return _tree(record, sources, outcomes)


@contextmanager
def _named(spec: Spec) -> Iterator[None]:
    """Put the name of the spec before what is said about its sources."""
    try:
        yield
    except PopdynError as error:
        message = f"{spec.name}: {error}"
        raise type(error)(message) from error


def _prepare_all(spec: Spec, bar: Progress, n_jobs: int | None) -> list[Prepared]:
    """Read the files and draft the networks; run the networks when all of that fits."""
    files = [source for source in spec.sources if not isinstance(source, Network)]
    drafts = [draft(source, spec.seed) for source in spec.sources if isinstance(source, Network)]
    prepared: dict[str, Prepared] = {}
    for source in _parallel([joblib.delayed(prepare)(source, spec) for source in files], n_jobs):
        prepared[source.id] = source
        bar.step(f"{source.id}: reading")
    _check_drafts(drafts, prepared, spec)
    for source in _parallel([joblib.delayed(run)(plan, spec) for plan in drafts], n_jobs):
        prepared[source.id] = source
        bar.step(f"{source.id}: simulating")
    ordered = [prepared[source.id] for source in spec.sources]
    check_sources(ordered, spec)
    return in_one_order(ordered, spec.conditions.by)


def _check_drafts(drafts: Sequence[Draft], prepared: Mapping[str, Prepared], spec: Spec) -> None:
    """Refuse what cannot be compared before a network is trained for it."""
    by = spec.conditions.by
    labels = {name: list(conditions_of(source, by)) for name, source in prepared.items()}
    for plan in drafts:
        own = plan.labels(by)
        if own is not None:
            labels[plan.name] = own
    check_conditions(labels, by)


def _call(source: Prepared, name: str, spec: Spec, outcomes: Sequence[Outcome]) -> Any:
    """Give a call of one step on one source, with what it takes of earlier ones."""
    needed = FOLLOWING[name][1] if name in FOLLOWING else ()
    earlier = {o.analysis: o for o in outcomes if o.source == source.id and o.analysis in needed}
    return joblib.delayed(analyze)(source, name, spec, earlier)


def _parallel(
    calls: Sequence[tuple[Callable[..., Any], Any, Any]], n_jobs: int | None
) -> Iterable[Any]:
    """Run independent calls; results come in order, as they are ready."""
    results: Iterable[Any] = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(calls)
    return results


def _warn(sources: Sequence[Prepared], outcomes: Sequence[Outcome]) -> None:
    """Say again, in the caller's process, what looked wrong and which results there are not."""
    said = [(source.id, problem) for source in sources for problem in source.said]
    said += [(outcome.source, problem) for outcome in outcomes for problem in outcome.problems]
    said += [(o.source, f"no {o.analysis}: {o.reason}") for o in outcomes if o.reason]
    for name, problem in dict.fromkeys(said):
        warnings.warn(f"source {name!r}: {problem}", PopdynWarning, stacklevel=3)


def _tree(spec: Spec, sources: Sequence[Prepared], outcomes: Sequence[Outcome]) -> xr.DataTree:
    results: dict[str, dict[str, xr.Dataset]] = {source.id: {} for source in sources}
    reasons = {(o.source, o.analysis): o.reason for o in outcomes if o.reason}
    problems: dict[str, list[str]] = {source.id: list(source.problems) for source in sources}
    summaries: dict[str, dict[str, str]] = {source.id: {} for source in sources}
    for outcome in outcomes:
        if outcome.reason:
            summaries[outcome.source][f"reason_{outcome.analysis}"] = outcome.reason
        problems[outcome.source] += [
            p for p in outcome.problems if p not in problems[outcome.source]
        ]
        if outcome.result is not None:
            results[outcome.source][outcome.analysis] = outcome.result
    for name, said in problems.items():
        said_text = json.dumps(said, ensure_ascii=False)
        said_of = {"problems": said_text, **summaries[name]}
        results[name]["summary"] = results[name]["summary"].assign_attrs(said_of)
    nodes = {f"/sources/{i}/{name}": ds for i, own in results.items() for name, ds in own.items()}
    nodes["/comparison/scorecard"] = scorecard(results, reasons, spec.analyses.names)
    tree = xr.DataTree.from_dict(nodes | pools(results, spec) | shared_groups(results, spec))
    tree.attrs = _attributes(spec, sources)
    return tree


def _attributes(spec: Spec, sources: Sequence[Prepared]) -> dict[str, Any]:
    """Say what is needed to compute the tree again; no date, so that it is the same again."""
    versions = {"python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in _RECORDED}
    digests = {f"{s.id}: {name}": digest for s in sources for name, digest in s.inputs.items()}
    when = spec.alignment
    return {
        "title": spec.title,
        "note": spec.note,
        "spec": spec.text,
        "seed": spec.seed,
        "event": when.event,
        "window": json.dumps(list(when.window)),
        "bin_width": when.bin_width,
        "by": json.dumps(list(spec.conditions.by)),
        "popdyn_version": __version__,
        "versions": json.dumps(versions),
        "input_digests": json.dumps(digests),
        "input_files": json.dumps(file_hashes(spec)),
    }
