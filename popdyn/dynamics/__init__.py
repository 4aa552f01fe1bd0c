"""How networks compute: from their weights, not from trials."""

from popdyn.dynamics.couplings import effective_couplings
from popdyn.dynamics.fit_lowrank import fit_lowrank
from popdyn.dynamics.flow import flow
from popdyn.dynamics.mean_field import mean_field
from popdyn.dynamics.reduce import reduce
from popdyn.dynamics.reduced_run import simulate_reduced

__all__ = ["effective_couplings", "fit_lowrank", "flow", "mean_field", "reduce", "simulate_reduced"]
