"""Where the random weights of networks come from: a stream that nothing else draws from."""

from __future__ import annotations

import numpy as np

from popdyn.errors import TensorError

# "net" as a number: a branch of the seed's own tree.
_BRANCH = (0x6E6574,)


def weight_generator(rng: int | np.random.Generator) -> np.random.Generator:
    """Return the generator that weights are drawn from.

    A task sampled with the same seed would else draw the numbers that the weights are made of,
    and its noise would be the network's own weights.

    Parameters
    ----------
    rng : int or numpy.random.Generator
        A seed, whose branch for weights is taken, or a generator, which is used as it is.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    TensorError
        If it is neither.

    Examples
    --------
    >>> import numpy as np
    >>> bool(weight_generator(0).normal() == np.random.default_rng(0).normal())
    False
    """
    given: object = rng
    if isinstance(given, np.random.Generator):
        return given
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and given >= 0:
        return np.random.default_rng(np.random.SeedSequence(int(given), spawn_key=_BRANCH))
    message = f"rng must be an integer of at least 0 or a numpy.random.Generator, found {rng!r}"
    raise TensorError(message)
