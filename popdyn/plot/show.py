"""One door to all pictures: a result knows by which method it was made."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import PopdynError

# Methods; popdyn.plot has a module for each that holds the function of the same name.
_METHODS = (
    "raster",
    "condition_average",
    "pca",
    "dpca",
    "tdr",
    "multi_tdr",
    "relative_distance",
    "separatrix_distance",
    "separatrix_bisect",
    "estimation_test",
    "estimation_tests",
    "decode_then_compare",
    "decode",
    "encoding",
    "decode_quantity",
    "temporal_generalization",
    "timescale",
    "scorecard",
    "task",
    "lesson",
    "session_overview",
    "warp",
    "subspace_overlap",
    "space_map",
    "epoch_axes",
    "behavior_by_class",
    "reservoir",
    "force",
    "full_force",
    "backprop",
    "memory_capacity",
    "psychometric",
    "detection",
    "contraction",
    "serial_dependence",
    "discrimination_observer",
    "production_observer",
    "discrimination_estimates",
    "production_estimates",
    "compare_observers",
    "behavior",
    "effective_couplings",
    "fit_lowrank",
    "flow",
    "populations",
    "population_gains",
    "inactivate",
    "inactivation_agreement",
    "inactivation_contraction",
    "inactivation_psychometric",
    "simulate_reduced",
    "selectivity_test",
    "selectivity_agreement",
    "mixed_selectivity",
    "context_tuning",
)
# Methods whose picture has another name.
_PICTURES = {
    **dict.fromkeys(("reservoir", "force", "full_force", "backprop"), "training"),
    **dict.fromkeys(("discrimination_estimates", "production_estimates"), "estimates"),
    "separatrix_bisect": "separatrix_distance",
}
# Results that are drawn through another one.
_ELSEWHERE = {
    "reduce": "plot.flow(pdn.dynamics.flow(this)) draws where its latents go, "
    "plot.effective_couplings(pdn.dynamics.effective_couplings(this)) its circuit, and "
    "plot.loadings(net) the loadings of the network",
    "mean_field": "plot.flow(pdn.dynamics.flow(net, inputs)) draws them among the velocities",
    "dpca_significance": "plot.dpca(result of the DPCA, significance=this) draws it beside the "
    "components it is of",
}
_OBSERVERS = ("discrimination_observer", "production_observer")
# Pictures that share a module of another name.
_MODULES = {
    "serial_dependence": "contraction",
    "behavior": "perceived",
    "estimation_tests": "estimation_test",
    "population_gains": "populations",
    "inactivation_agreement": "inactivate",
    "inactivation_contraction": "inactivate",
    "inactivation_psychometric": "inactivate",
    **dict.fromkeys((*_OBSERVERS, "estimates", "compare_observers"), "observer"),
}


def show(result: Any, **options: Any) -> Axes:
    """Draw a result by the method that made it.

    Parameters
    ----------
    result : Dataset, warped tensor or estimator
        A result (``attrs["method"]``), a node of a comparison, or a fitted estimator with
        ``to_dataset()``.
    **options
        Passed to the plot: ``ax=``, or what ``popdyn.plot.<method>`` knows besides.

    Returns
    -------
    Axes
        Axes drawn on; ``.figure`` is the figure.  Of a condition average the most modulated
        neuron is drawn (see ``popdyn.plot.condition_average``).

    Raises
    ------
    PopdynError
        When there is no picture for this object; the message lists what there is.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> tensor = pdn.make_tensor(np.ones((2, 3, 4)), [0.0, 0.1, 0.2], {"choice": [0, 1, 0, 1]})
    >>> pdn.show(pdn.condition_average(tensor, "choice")).get_xlabel()
    'time (s)'
    """
    warped = isinstance(result, xr.DataArray) and result.attrs.get("method") == "warp"
    dataset = result if warped or isinstance(result, xr.Dataset) else _dataset(result)
    method = str(dataset.attrs.get("method", ""))
    if method not in _METHODS:
        found = f"method {method!r}" if method else "no method (attrs['method'])"
        message = (
            f"show draws results of {', '.join(_METHODS)}; found {found}. Run one of these "
            "analyses first, or use a function of popdyn.plot"
        )
        if method in _ELSEWHERE:
            message = f"{method} has no picture of its own: {_ELSEWHERE[method]}"
        raise PopdynError(message)
    if method in _OBSERVERS and "value" not in dataset:
        message = (
            "this observer was not fitted: fit(trials) it and show it again, or show what it "
            "estimates, show(observer.estimates(stimulus))"
        )
        raise PopdynError(message)
    picture = _PICTURES.get(method, method)
    module = import_module(f"popdyn.plot.{_MODULES.get(picture, picture)}")
    draw: Callable[..., Axes] = getattr(module, picture)
    return draw(dataset, **options)


def _dataset(result: Any) -> xr.Dataset:
    """Turn an estimator or the node of a tree into a Dataset."""
    if hasattr(result, "to_dataset") and not isinstance(result, xr.DataArray):
        dataset: xr.Dataset = result.to_dataset()
        return dataset
    message = (
        f"show draws results of {', '.join(_METHODS)}; found {type(result).__name__}. A tensor is "
        "averaged first: show(condition_average(tensor, by))"
    )
    raise PopdynError(message)
