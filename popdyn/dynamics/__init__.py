"""How networks compute: from their weights and equations, not from trials."""

from popdyn.dynamics.couplings import effective_couplings
from popdyn.dynamics.fit_lowrank import fit_lowrank
from popdyn.dynamics.flow import flow
from popdyn.dynamics.inactivate import inactivate
from popdyn.dynamics.inactivate_agreement import inactivation_agreement
from popdyn.dynamics.inactivate_contraction import inactivation_contraction
from popdyn.dynamics.inactivate_network import percentile_groups
from popdyn.dynamics.inactivate_psychometric import inactivation_psychometric
from popdyn.dynamics.mean_field import mean_field
from popdyn.dynamics.populations import populations
from popdyn.dynamics.populations_gain import population_gains
from popdyn.dynamics.populations_resample import resample_network
from popdyn.dynamics.reduce import reduce
from popdyn.dynamics.reduced_run import simulate_reduced
from popdyn.dynamics.separatrix import separatrix_bisect

__all__ = [
    "effective_couplings",
    "fit_lowrank",
    "flow",
    "inactivate",
    "inactivation_agreement",
    "inactivation_contraction",
    "inactivation_psychometric",
    "mean_field",
    "percentile_groups",
    "population_gains",
    "populations",
    "reduce",
    "resample_network",
    "separatrix_bisect",
    "simulate_reduced",
]
