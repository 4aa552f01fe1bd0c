"""Set trained recurrent networks beside recordings, and see whether they compute alike.

Recordings (NWB files) and simulated networks become the same thing, an array
``neuron x time x trial``; every analysis runs on both, and the answers stand side by
side in one report.  Names are loaded on first use, so that importing costs little.

Examples
--------
>>> import popdyn as pdn
>>> callable(pdn.align)
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Name at the front door -> the module that defines it.
_FUNCTIONS = {
    "describe_nwb": "io.nwb",
    "describe_page": "reporting.recording_page",
    "read_session": "io.nwb",
    "read_nwb": "io.nwb",
    "read_sessions": "io.sessions",
    "write_nwb": "io.nwb_write",
    "from_pynapple": "io.bridges.pynapple_in",
    "to_pynapple": "io.bridges.pynapple_out",
    "from_neo": "io.bridges.neo_in",
    "read_weights": "io.weights",
    "write_weights": "io.weights",
    "align": "tensor.align",
    "align_behavior": "tensor.behavior",
    "make_tensor": "tensor.build",
    "from_spikes": "tensor.build",
    "check": "tensor.contract",
    "save": "tensor.store",
    "load": "tensor.store",
    "trial_table": "tensor.view",
    "warp": "tensor.warp",
    "condition_average": "tensor.view",
    "as_matrix": "tensor.view",
    "from_matrix": "tensor.view",
    "make_session": "tensor.session",
    "show": "plot.show",
    "smooth": "preprocess.smooth",
    "rate": "preprocess.normalize",
    "soft_normalize": "preprocess.normalize",
    "select": "preprocess.select",
    "pseudopopulation": "preprocess.pseudopopulation",
    "bootstrap": "resample",
    "simulate": "simulation.run",
    "calibrate_noise": "simulation.calibrate",
    "observe": "simulation.observe",
    "observe_sessions": "simulation.observe",
    "behavior_by_class": "behavior.by_class",
    "psychometric": "behavior.psychometric",
    "detection": "behavior.detection",
    "contraction": "behavior.contraction",
    "serial_dependence": "behavior.serial_dependence",
    "DPCA": "analysis.dpca",
    "MultiTDR": "analysis.multi_tdr",
    "PCA": "analysis.statespace",
    "SpaceMap": "analysis.space_map",
    "TDR": "analysis.tdr",
    "subspace_overlap": "analysis.subspace",
    "epoch_axes": "analysis.epoch_axes",
    "raster": "analysis.raster",
    "session_overview": "analysis.session_overview",
    "distance_shift": "analysis.distance_shift",
    "decode_then_compare": "analysis.estimation_decode",
    "estimation_test": "analysis.estimation",
    "pool_estimation_tests": "analysis.estimation_pool",
    "pool_distances": "analysis.distance_pool",
    "relative_distance": "analysis.distance",
    "separatrix_distance": "analysis.separatrix",
    "decode": "analysis.decoding",
    "decode_quantity": "analysis.quantity_decoding",
    "temporal_generalization": "analysis.generalization",
    "pool_decoding": "analysis.pooled_decoding",
    "encoding": "analysis.encoding",
    "mixed_selectivity": "analysis.mixed_selectivity",
    "context_tuning": "analysis.context_tuning",
    "timescale": "analysis.timescales",
    "selectivity_test": "analysis.selectivity",
    "selectivity_agreement": "analysis.selectivity_agreement",
    "compare": "comparison.pipeline",
    "report": "reporting.chapters",
    "PopdynError": "errors",
    "TensorError": "errors",
    "SourceError": "errors",
    "SpecError": "errors",
    "FitError": "errors",
    "PopdynWarning": "errors",
}
_NAMESPACES = ("dynamics", "network", "observer", "plot", "tasks", "train")

__all__ = ["__version__", *_FUNCTIONS, *_NAMESPACES]  # noqa: PLE0604

if TYPE_CHECKING:  # what editors and type checkers see
    from popdyn import dynamics as dynamics
    from popdyn import network as network
    from popdyn import observer as observer
    from popdyn import plot as plot
    from popdyn import tasks as tasks
    from popdyn import train as train


def __getattr__(name: str) -> Any:
    """Load a name of the front door the first time it is asked for."""
    if name in _NAMESPACES:
        value: Any = importlib.import_module(f"popdyn.{name}")
    elif name in _FUNCTIONS:
        value = getattr(importlib.import_module(f"popdyn.{_FUNCTIONS[name]}"), name)
        importlib.import_module("popdyn.accessor")
    else:
        message = f"popdyn has no {name!r}"
        raise AttributeError(message)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every name of the front door, loaded or not."""
    return sorted(__all__)
