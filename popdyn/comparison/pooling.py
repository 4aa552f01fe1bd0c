"""Decoding averaged over the sources of a comparison that are sessions of one kind."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from popdyn.analysis.pooled_decoding import pool_decoding
from popdyn.comparison.measures import Results
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.spec import Spec
from popdyn.errors import TensorError
from popdyn.tensor.result import make_result


def pools(results: Mapping[str, Results], spec: Spec) -> dict[str, xr.Dataset]:
    """Average the decoding of every group of sources.

    Parameters
    ----------
    results : mapping
        Source id -> analysis -> result.
    spec : Spec
        The whole spec.

    Returns
    -------
    dict
        Path in the tree -> what `popdyn.pool_decoding` gives, with the sources that have no
        result in ``attrs["left_out"]``; or only ``attrs["reason"]`` where fewer than two have.
    """
    asked = spec.comparison.pool_decoding
    if asked is None:
        return {}
    found = {}
    for name, ids in asked.groups(spec.kinds).items():
        known = {one: results[one][asked.analysis] for one in ids if asked.analysis in results[one]}
        pooled = _pooled(known, derive_seed(spec.seed, name, "pool_decoding"))
        left_out = ", ".join(one for one in ids if one not in known)
        found[f"/comparison/pool_decoding/{name}"] = pooled.assign_attrs(left_out=left_out)
    return found


def _pooled(known: Mapping[str, xr.Dataset], seed: int) -> xr.Dataset:
    """Average, or say why not."""
    if len(known) < 2:
        told = f"only {next(iter(known))!r} has" if known else "no source has"
        reason = f"an average over sessions needs two of them, {told} a result"
    else:
        try:
            return pool_decoding(known, rng=seed)
        except TensorError as error:
            reason = str(error)
    return make_result({}, method="pool_decoding", parameters={}, seed=seed).assign_attrs(
        reason=reason
    )
