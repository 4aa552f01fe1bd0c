"""One seed for a comparison, many for its parts."""

from __future__ import annotations

import zlib

import numpy as np


def derive_seed(seed: int, *names: str) -> int:
    """Derive the seed of a named part, which no other part can disturb.

    Adding a source or an analysis to a spec leaves the draws of all others as they were.

    Parameters
    ----------
    seed : int
        Seed of the comparison.
    *names : str
        Path of the part, for example source and analysis.

    Returns
    -------
    int
        Seed below 2**32.

    Examples
    --------
    >>> from popdyn.comparison.seeds import derive_seed
    >>> derive_seed(0, "human", "pca") == derive_seed(0, "human", "decode")
    False
    """
    key = tuple(zlib.crc32(name.encode()) for name in names)
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1)[0])
