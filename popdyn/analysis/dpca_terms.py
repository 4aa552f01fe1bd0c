"""Which part of the averages belongs to which factor: marginalizations of a complete grid.

Averages over a grid of factors and time fall into orthogonal parts, one for each combination of
axes; parts that belong together (a factor, and its product with time) are joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import helmert

from popdyn.errors import TensorError

Array = NDArray[np.float64]
Term = frozenset[int]

TIME = "time"
CROSS = " x "


@dataclass(frozen=True)
class Marginalization:
    """Parts of the averages that are demixed together.

    Attributes
    ----------
    name : str
        ``"time"``, ``"stimulus"``, ``"stimulus x decision"`` or a name of the user's.
    terms : tuple of frozenset of int
        Axes each part varies along: factors in order, then time.
    """

    name: str
    terms: tuple[Term, ...]

    def factors(self, n_factors: int) -> tuple[int, ...]:
        """Factors that any of its parts varies along."""
        return tuple(sorted(set().union(*self.terms) - {n_factors}))

    def n_free(self, shape: Sequence[int]) -> int:
        """Degrees of freedom on a grid (level, ..., time)."""
        return int(sum(np.prod([shape[axis] - 1 for axis in term]) for term in self.terms))


def marginalizations(
    factors: Sequence[str], join: str | Mapping[str, Sequence[str]] | None = TIME
) -> list[Marginalization]:
    """List the marginalizations of factors and time.

    Parameters
    ----------
    factors : sequence of str
        Names of the factors, in the order of the axes.
    join : "time", mapping or None
        ``"time"``: each combination of factors with its product with time, and time alone.
        A mapping from names to lists of terms such as ``["stimulus", "stimulus x time"]``.
        None: every term on its own.

    Returns
    -------
    list of Marginalization
        Time first unless a mapping was given.

    Raises
    ------
    TensorError
        If a mapping names an unknown term, or one twice.

    Examples
    --------
    >>> [one.name for one in marginalizations(["stimulus", "decision"])]
    ['time', 'stimulus', 'decision', 'stimulus x decision']
    """
    names = [*factors, TIME]
    n = len(factors)
    of_factors = [frozenset(c) for size in range(1, n + 1) for c in combinations(range(n), size)]
    if isinstance(join, Mapping):
        return _joined(names, join)
    if join is None:
        terms = [frozenset({n}), *of_factors, *(term | {n} for term in of_factors)]
        return [Marginalization(_name(term, names), (term,)) for term in terms]
    if join != TIME:
        message = f"join is 'time', None or a mapping from names to lists of terms, found {join!r}"
        raise TensorError(message)
    joined = [Marginalization(_name(term, names), (term, term | {n})) for term in of_factors]
    return [Marginalization(TIME, (frozenset({n}),)), *joined]


def _name(term: Term, names: Sequence[str]) -> str:
    """Name a term, such as ``"stimulus x time"``."""
    return CROSS.join(names[axis] for axis in sorted(term))


def _joined(names: Sequence[str], join: Mapping[str, Sequence[str]]) -> list[Marginalization]:
    """Read a mapping from names to lists of terms."""
    size = range(1, len(names) + 1)
    known = {
        _name(frozenset(c), names): frozenset(c)
        for n in size
        for c in combinations(range(len(names)), n)
    }
    owner: dict[Term, str] = {}
    found = []
    for name, listed in join.items():
        terms = []
        for text in [listed] if isinstance(listed, str) else list(listed):
            term = frozenset(
                names.index(part) if part in names else -1 for part in str(text).split(CROSS)
            )
            if term not in known.values():
                near = get_close_matches(str(text), known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                message = f"join[{name!r}] names {text!r}, known are {', '.join(known)}{hint}"
                raise TensorError(message)
            if term in owner:
                message = (
                    f"join lists {_name(term, names)!r} in {owner[term]!r} and in {name!r}: a part "
                    "of the variance can belong to one marginalization only"
                )
                raise TensorError(message)
            owner[term] = str(name)
            terms.append(term)
        if not terms:
            message = f"join[{name!r}] lists no term: name some of {', '.join(known)}"
            raise TensorError(message)
        found.append(Marginalization(str(name), tuple(terms)))
    if not found:
        message = f"join is empty: name marginalizations and their terms ({', '.join(known)})"
        raise TensorError(message)
    return found


@dataclass(frozen=True, eq=False)
class Part:
    """One marginalization of averages, without the copies along axes it does not vary along.

    Attributes
    ----------
    values : ndarray, shape (neuron, sample)
        The part; all its samples occur ``n_copies`` times on the grid.
    n_copies : int
        How often.
    axes : tuple of int
        Axes of the grid that ``sample`` runs over.
    contrasts : ndarray, shape (neuron, contrast)
        The part with one sample less along each factor over whose levels it sums to 0: the same
        products and the same span, from fewer numbers.
    """

    values: Array
    n_copies: int
    axes: tuple[int, ...]
    contrasts: Array

    def power(self) -> float:
        """Sum of squares over the grid."""
        return float(self.n_copies * np.einsum("ns,ns->", self.values, self.values))

    def products(self, other: Part | None = None) -> Array:
        """Products (neuron, neuron) with the same part of other averages, over the grid."""
        matrix: Array = (self.contrasts if other is None else other.contrasts) @ self.contrasts.T
        return self.n_copies * matrix


def split(averages: Array, chosen: Sequence[Marginalization]) -> list[Part]:
    """Split averages into marginalizations.

    Parameters
    ----------
    averages : ndarray, shape (neuron, level, ..., time)
        A complete grid; the mean of each neuron is taken off.
    chosen : sequence of Marginalization
        What to split into.

    Returns
    -------
    list of Part
        Orthogonal to each other; together they are the centered averages, if every term is in
        one of the marginalizations.
    """
    n_axes = averages.ndim - 1
    wanted = {term for one in chosen for term in one.terms}
    terms: dict[Term, Array] = {frozenset(): averages}
    for axis in range(n_axes):
        halves: dict[Term, Array] = {}
        for term, part in terms.items():
            mean = part.mean(axis=axis + 1, keepdims=True)
            left = set(range(axis + 1, n_axes))
            if any(_reaches(term, one, left) for one in wanted):
                halves[term] = mean
            if any(_reaches(term | {axis}, one, left) for one in wanted):
                halves[term | {axis}] = part - mean
        terms = halves
    return [_part(one, terms, averages.shape) for one in chosen]


def _reaches(term: Term, wanted: Term, left: set[int]) -> bool:
    """Whether a term can still become the wanted one along the axes that are left."""
    return wanted - left == term


def _part(one: Marginalization, terms: Mapping[Term, Array], shape: Sequence[int]) -> Part:
    """Add up the terms of a marginalization on the axes it varies along."""
    axes = tuple(sorted(set().union(*one.terms)))
    own = [shape[0], *(n if axis in axes else 1 for axis, n in enumerate(shape[1:]))]
    values = np.zeros(own)
    for term in one.terms:
        values += terms[term]
    n_copies = int(np.prod(shape[1:])) // int(np.prod(own[1:]))
    contrasts = values
    for axis in frozenset.intersection(*one.terms) - {len(shape) - 2}:
        across = helmert(shape[axis + 1])
        contrasts = np.moveaxis(np.tensordot(across, contrasts, (1, axis + 1)), 0, axis + 1)
    flat = np.ascontiguousarray(contrasts).reshape(shape[0], -1)
    return Part(values.reshape(shape[0], -1), n_copies, axes, flat)
