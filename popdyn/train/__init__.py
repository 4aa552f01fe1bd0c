"""Training networks."""

from popdyn.train.backprop import backprop
from popdyn.train.force import force
from popdyn.train.full_force import full_force
from popdyn.train.many import many
from popdyn.train.memory_capacity import memory_capacity
from popdyn.train.rank_search import rank_search
from popdyn.train.reservoir import reservoir
from popdyn.train.target_network import target_network, target_trials

__all__ = [
    "backprop",
    "force",
    "full_force",
    "many",
    "memory_capacity",
    "rank_search",
    "reservoir",
    "target_network",
    "target_trials",
]
