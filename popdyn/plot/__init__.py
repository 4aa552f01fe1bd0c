"""Pictures: result to axes, one function per analysis."""

from __future__ import annotations

from popdyn.plot.behavior_by_class import behavior_by_class, choice_by_pair
from popdyn.plot.condition_average import condition_average
from popdyn.plot.context_tuning import context_tuning
from popdyn.plot.contraction import contraction, serial_dependence
from popdyn.plot.decode import decode
from popdyn.plot.decode_quantity import decode_quantity
from popdyn.plot.decode_then_compare import decode_then_compare
from popdyn.plot.detection import detection
from popdyn.plot.dpca import dpca
from popdyn.plot.effective_couplings import effective_couplings
from popdyn.plot.encoding import encoding
from popdyn.plot.epoch_axes import epoch_axes
from popdyn.plot.estimation_test import estimation_test, estimation_tests
from popdyn.plot.explained_variance import explained_variance
from popdyn.plot.fit_lowrank import fit_lowrank, fit_lowrank_neurons
from popdyn.plot.flow import flow
from popdyn.plot.inactivate import (
    inactivate,
    inactivation_agreement,
    inactivation_contraction,
    inactivation_psychometric,
)
from popdyn.plot.lesson import lesson
from popdyn.plot.loadings import loadings
from popdyn.plot.memory_capacity import memory_capacity
from popdyn.plot.mixed_selectivity import mixed_selectivity
from popdyn.plot.multi_tdr import multi_tdr
from popdyn.plot.observer import (
    compare_observers,
    discrimination_observer,
    estimates,
    production_observer,
)
from popdyn.plot.output_against_target import output_against_target
from popdyn.plot.pca import pca
from popdyn.plot.perceived import behavior, decoded
from popdyn.plot.populations import population_gains, populations
from popdyn.plot.psychometric import psychometric
from popdyn.plot.raster import raster
from popdyn.plot.relative_distance import relative_distance
from popdyn.plot.scorecard import scorecard
from popdyn.plot.selectivity_agreement import matched_centers, selectivity_agreement
from popdyn.plot.selectivity_test import selectivity_test
from popdyn.plot.separatrix_distance import separatrix_distance
from popdyn.plot.session_overview import population_rate, rate_distribution, session_overview
from popdyn.plot.session_trials import event_rate, session_raster, trial_structure
from popdyn.plot.simulate_reduced import simulate_reduced
from popdyn.plot.space_map import space_map
from popdyn.plot.subspace_overlap import subspace_overlap
from popdyn.plot.task import task
from popdyn.plot.tdr import tdr, tdr_strength
from popdyn.plot.temporal_generalization import temporal_generalization
from popdyn.plot.timescale import timescale
from popdyn.plot.training import training, training_loss
from popdyn.plot.verdict import verdict
from popdyn.plot.warp import warp

__all__ = [
    "compare_observers",
    "context_tuning",
    "contraction",
    "detection",
    "discrimination_observer",
    "estimates",
    "production_observer",
    "psychometric",
    "serial_dependence",
    "behavior",
    "behavior_by_class",
    "choice_by_pair",
    "condition_average",
    "decode",
    "dpca",
    "effective_couplings",
    "decode_quantity",
    "decode_then_compare",
    "decoded",
    "encoding",
    "epoch_axes",
    "estimation_test",
    "estimation_tests",
    "event_rate",
    "fit_lowrank",
    "fit_lowrank_neurons",
    "explained_variance",
    "flow",
    "inactivate",
    "inactivation_agreement",
    "inactivation_contraction",
    "inactivation_psychometric",
    "lesson",
    "loadings",
    "memory_capacity",
    "mixed_selectivity",
    "multi_tdr",
    "output_against_target",
    "pca",
    "population_gains",
    "population_rate",
    "populations",
    "raster",
    "rate_distribution",
    "relative_distance",
    "matched_centers",
    "selectivity_agreement",
    "selectivity_test",
    "separatrix_distance",
    "scorecard",
    "session_overview",
    "session_raster",
    "simulate_reduced",
    "space_map",
    "subspace_overlap",
    "task",
    "tdr",
    "tdr_strength",
    "temporal_generalization",
    "timescale",
    "trial_structure",
    "training",
    "training_loss",
    "verdict",
    "warp",
]
