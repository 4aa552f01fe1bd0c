"""How networks compute: their boundaries, taken from the equations and not from trials."""

from popdyn.dynamics.separatrix import separatrix_bisect

__all__ = ["separatrix_bisect"]
