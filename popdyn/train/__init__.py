"""Training networks."""

from popdyn.train.reservoir import reservoir

__all__ = ["reservoir"]
