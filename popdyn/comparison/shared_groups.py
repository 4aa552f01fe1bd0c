"""Whether groups of selectivity are the same in all sources of a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping

import xarray as xr

from popdyn.analysis.selectivity_sources import neurons_needed
from popdyn.comparison.measures import Results
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.sources import noted
from popdyn.comparison.spec import Spec
from popdyn.errors import FitError, TensorError, warn
from popdyn.tensor.result import make_result

METHOD = "selectivity_agreement"


def shared_groups(results: Mapping[str, Results], spec: Spec) -> dict[str, xr.Dataset]:
    """Compare the groups of neurons of all sources.

    Parameters
    ----------
    results : mapping
        Source id -> analysis -> result.
    spec : Spec
        The whole spec.

    Returns
    -------
    dict
        Path in the tree -> what `popdyn.selectivity_agreement` gives of the sources that can be
        compared, the others with the reason in ``attrs["left_out"]``; or only
        ``attrs["reason"]`` where fewer than two can.

    Warns
    -----
    PopdynWarning
        Of sources that are left out, of what there is not, and of what agreement says that the
        test of each source has not.
    """
    asked = spec.comparison.selectivity_agreement
    if asked is None:
        return {}
    seed = derive_seed(spec.seed, METHOD)
    loadings, left_out = _comparable(results, asked.n_clusters or 2)
    reason, said = "", []
    if len(loadings) < 2:
        reason = "groups are compared between two sources or more, which have the same features"
        reason += f": {left_out}" if left_out else ""
    else:
        # Mixtures are slow to import.
        from popdyn.analysis.selectivity_agreement import selectivity_agreement

        try:
            with noted() as said:
                found = selectivity_agreement(loadings, rng=seed, **asked.model_dump())
        except (TensorError, FitError) as error:
            reason = str(error)
    if reason:
        empty = make_result({}, method=METHOD, parameters={}, seed=seed)
        found = empty.assign_attrs(reason=reason)
    elif left_out:
        said = [*said, f"not compared: {left_out}"]
    _warn([*said, f"no agreement of groups: {reason}"] if reason else said, results)
    return {f"/comparison/{METHOD}": found.assign_attrs(left_out=left_out)}


def _warn(said: list[str], results: Mapping[str, Results]) -> None:
    """Say what was not said of each source already."""
    known = {
        f"source {name!r}: {problem}"
        for name, own in results.items()
        for problem in json.loads(own["summary"].attrs["problems"])
    }
    for message in said:
        if message not in known:
            warn(f"{METHOD}: {message}")


def _comparable(
    results: Mapping[str, Results], n_groups: int
) -> tuple[dict[str, xr.DataArray], str]:
    """Give the loadings of sources with the features of the first, and say why others have none."""
    loadings: dict[str, xr.DataArray] = {}
    left_out = []
    for name, own in results.items():
        if "selectivity_test" not in own:
            left_out.append(f"{name} has no test of selectivity")
            continue
        found = own["selectivity_test"]["loading"]
        first = next(iter(loadings.values()), found)
        if set(found["feature"].values) != set(first["feature"].values):
            listed = ", ".join(str(feature) for feature in found["feature"].values)
            left_out.append(f"{name} has the features {listed}")
            continue
        needed = neurons_needed(n_groups, found.sizes["feature"])
        n_neurons = int(found.notnull().all("feature").sum())
        if n_neurons < needed:
            left_out.append(f"{name} has {n_neurons} neurons, needs {needed}")
            continue
        loadings[name] = found
    return loadings, "; ".join(left_out)
