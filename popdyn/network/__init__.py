"""Networks: frozen records of weights and constants."""

from popdyn.network.rate import Rate

__all__ = ["Rate"]
