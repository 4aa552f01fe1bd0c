"""What a picture shows, for who cannot see it."""

from __future__ import annotations

import xarray as xr

from popdyn.reporting import captions, state_captions
from popdyn.reporting.agreement_chapter import agreement_details
from popdyn.reporting.circuit_captions import DETAILS as CIRCUIT_DETAILS
from popdyn.reporting.low_rank_chapter import fit_details
from popdyn.reporting.overlap_chapter import overlap_details
from popdyn.reporting.perceived_captions import DETAILS as PERCEIVED_DETAILS
from popdyn.reporting.perceived_methods import method_of
from popdyn.reporting.pooled_chapter import pooled_details
from popdyn.reporting.selectivity_chapter import DETAILS as SELECTIVITY_DETAILS
from popdyn.reporting.tdr_chapter import tdr_details

_DETAILS = {
    **captions.DETAILS,
    **state_captions.DETAILS,
    **PERCEIVED_DETAILS,
    **CIRCUIT_DETAILS,
    **SELECTIVITY_DETAILS,
    "tdr": tdr_details,
    "fit_lowrank": fit_details,
    "subspace_overlap": overlap_details,
    "pool_decoding": pooled_details,
    "selectivity_agreement": agreement_details,
}


def in_words(title: str, source: str, result: xr.Dataset) -> str:
    """Say what a picture shows to who cannot see it.

    Parameters
    ----------
    title
        Title of the figure.
    source
        Id of the source.
    result
        What is drawn.

    Returns
    -------
    str
        One or two sentences.

    Examples
    --------
    >>> in_words("Raster.", "human", xr.Dataset(attrs={"method": "raster", "neuron": "7"}))
    'Raster, human. Neuron 7.'
    """
    method = method_of(result)
    details: list[str] = []
    if method in _DETAILS:
        details = _DETAILS[method](result)
    elif "neuron" in result.attrs:
        details = [f"Neuron {result.attrs['neuron']}"]
    told = f" {'; '.join(details)}." if details else ""
    return f"{title.rstrip('.')}, {source}.{told}"
