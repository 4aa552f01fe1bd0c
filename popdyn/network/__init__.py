"""Networks: frozen records of weights and constants."""

from popdyn.network.compact import Compact
from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking

__all__ = ["Compact", "LowRank", "Rate", "Spiking"]
