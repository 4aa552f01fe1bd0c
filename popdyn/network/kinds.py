"""The kinds of networks, for functions that take several of them."""

from __future__ import annotations

from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking

# Networks of rates, whose quantities have no units.
RateLike = Rate | LowRank
Network = Rate | LowRank | Spiking
