"""Observers: what a stimulus seems to be, to someone who measures with noise and expects."""

from popdyn.observer.compare import compare_observers
from popdyn.observer.discrimination import Discrimination
from popdyn.observer.production import Production

__all__ = ["Discrimination", "Production", "compare_observers"]
