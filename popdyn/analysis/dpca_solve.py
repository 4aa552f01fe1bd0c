"""Encoders and decoders of demixed components: reduced-rank regression on products of neurons.

All that is needed of the averages are products between neurons, and one eigendecomposition of
their sum gives the solution for every strength of the regularization.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from popdyn.analysis.dpca_terms import Marginalization, Part, split

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Products:
    """Products between neurons of centered averages, whole and by marginalization.

    Attributes
    ----------
    parts : list of Part
        The marginalizations.
    of_part : list of ndarray, each (neuron, neuron)
        Their products.
    total : ndarray, shape (neuron, neuron)
        Products of the whole.
    """

    parts: list[Part]
    of_part: list[Array]
    total: Array

    @property
    def power(self) -> float:
        """Total variance: sum of squares of the centered averages."""
        return float(np.trace(self.total))


def products(averages: Array, chosen: Sequence[Marginalization]) -> Products:
    """Products of averages (neuron, level, ..., time)."""
    flat = averages.reshape(len(averages), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    parts = split(averages, chosen)
    return Products(parts, [part.products() for part in parts], flat @ flat.T)


@dataclass(frozen=True, eq=False)
class Solver:
    """One eigendecomposition, from which the components for any regularization follow.

    Attributes
    ----------
    known : Products
        Of the averages.
    values, vectors : ndarray
        Eigenvalues and eigenvectors (neuron, neuron) of products plus noise covariance.
    root : ndarray, shape (neuron, rank), or (neuron,)
        A root of the products, along the eigenvectors; its diagonal if it has no more.
    bases : list of ndarray or None, each (neuron, rank)
        Directions a marginalization has variance along, if fewer than neurons.
    sides : list of ndarray, each (rank, neuron)
        Products of each marginalization, along its basis and the eigenvectors.
    """

    known: Products
    values: Array
    vectors: Array
    root: Array
    bases: list[Array | None]
    sides: list[Array]

    def components(self, index: int, ridge: float, n_components: int) -> tuple[Array, Array]:
        """Find encoder (neuron, component) and decoder (component, neuron) of a marginalization.

        Parameters
        ----------
        index : int
            Position of the marginalization.
        ridge : float
            Added to the diagonal of the products: ``(regularization * total variance) ** 2``.
        n_components : int
            How many.
        """
        smallest = len(self.values) * np.finfo(np.float64).eps * max(self.values[-1], 0.0)
        kept = (self.values > smallest) | (ridge > smallest)
        sums = np.where(kept, np.maximum(self.values, 0.0) + ridge, 1.0)
        side = self.sides[index] * np.where(kept, 1.0 / sums, 0.0)
        rebuilt = side * self.root if self.root.ndim == 1 else side @ self.root
        matrix = rebuilt @ rebuilt.T
        n = len(matrix)
        encoder = scipy.linalg.eigh(
            matrix, subset_by_index=[n - n_components, n - 1], check_finite=False
        )[1][:, ::-1]
        decoder = (encoder.T @ side) @ self.vectors.T
        basis = self.bases[index]
        return encoder if basis is None else basis @ encoder, decoder


def solver(known: Products, noise: Array | None = None) -> Solver:
    """Decompose the products, with a noise covariance (neuron, neuron) or (neuron,) if any."""
    values, vectors = scipy.linalg.eigh(known.total, check_finite=False)
    root = np.sqrt(np.maximum(values, 0.0))
    if noise is not None:
        kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
        half = vectors[:, kept] * root[kept]
        matrix = known.total + (np.diag(noise) if noise.ndim == 1 else noise)
        values, vectors = scipy.linalg.eigh(matrix, check_finite=False)
        root = vectors.T @ half
    bases, sides = [], []
    for part, of_part in zip(known.parts, known.of_part, strict=True):
        basis = _basis(part)
        bases.append(basis)
        sides.append((of_part if basis is None else basis.T @ of_part) @ vectors)
    return Solver(known, values, vectors, root, bases, sides)


def _basis(part: Part) -> Array | None:
    """Directions that a part has variance along; None where there are as many as neurons."""
    n_neurons, n_contrasts = part.contrasts.shape
    if n_contrasts >= n_neurons:
        return None
    basis: Array = np.linalg.qr(part.contrasts)[0]
    return basis


@dataclass(frozen=True, eq=False)
class Components:
    """Demixed components, largest explained variance first.

    Attributes
    ----------
    encoder, decoder : ndarray, shape (component, neuron)
        Encoders have length 1 and mostly positive entries.
    index : ndarray of int, shape (component,)
        Position of each component's marginalization.
    """

    encoder: Array
    decoder: Array
    index: NDArray[np.intp]


def solve(
    solved: Solver, regularization: Sequence[float], n_components: Sequence[int]
) -> Components:
    """Find the components of every marginalization and put them in order.

    Parameters
    ----------
    solved : Solver
        From `solver`.
    regularization : sequence of float
        Per marginalization, as a share of the total variance.
    n_components : sequence of int
        Per marginalization.
    """
    power = solved.known.power
    encoders, decoders, index = [], [], []
    for position, (strength, n) in enumerate(zip(regularization, n_components, strict=True)):
        if n < 1:
            continue
        encoder, decoder = solved.components(position, (strength * power) ** 2, n)
        encoders.append(encoder.T)
        decoders.append(decoder)
        index.append(np.full(n, position))
    encoder, decoder = np.concatenate(encoders), np.concatenate(decoders)
    sign = _signs(encoder)
    found = Components(
        encoder * sign[:, None], decoder * sign[:, None], np.concatenate(index).astype(np.intp)
    )
    order = np.argsort(-explained(found, solved.known.total), kind="stable")
    return Components(found.encoder[order], found.decoder[order], found.index[order])


def _signs(encoder: Array) -> Array:
    """Signs that make most entries of each encoder positive; in a tie, the largest."""
    votes = np.sign(encoder).sum(axis=1)
    largest = encoder[np.arange(len(encoder)), np.abs(encoder).argmax(axis=1)]
    sign = np.sign(np.where(votes == 0, largest, votes))
    return np.where(sign == 0, 1.0, sign)


def explained(found: Components, of: Array) -> Array:
    """Variance that each component's reconstruction explains of averages with these products."""
    state = found.decoder @ of
    cross, own = (state * found.encoder).sum(axis=1), (state * found.decoder).sum(axis=1)
    return np.asarray(2.0 * cross - (found.encoder**2).sum(axis=1) * own)


def cumulative(found: Components, of: Array) -> Array:
    """Variance that the first components together explain, for each number of them."""
    state = found.decoder @ of
    cross = (state * found.encoder).sum(axis=1)
    both = (found.encoder @ found.encoder.T) * (state @ found.decoder.T)
    square = both.cumsum(axis=0).cumsum(axis=1).diagonal()
    return np.asarray(2.0 * cross.cumsum() - square)


def held_out_errors(
    train: Solver, test: Products, strengths: Array, n_components: Sequence[int]
) -> Array:
    """Squared error of training averages rebuilt from held-out trials.

    Parameters
    ----------
    train : Solver
        Of the training averages.
    test : Products
        Of held-out trials, with the same marginalizations.
    strengths : ndarray
        Regularizations to try, as shares of the total variance of the training averages.
    n_components : sequence of int
        Per marginalization.

    Returns
    -------
    ndarray, shape (marginalization, strength)
        Sums of squares.
    """
    power = train.known.power
    errors = np.zeros((len(n_components), len(strengths)))
    for index, n in enumerate(n_components):
        part = train.known.parts[index]
        errors[index] = part.power()
        if n < 1:
            continue
        across = part.products(test.parts[index])  # held out times training
        for position, strength in enumerate(strengths):
            encoder, decoder = train.components(index, (strength * power) ** 2, n)
            errors[index, position] += ((decoder @ test.total) * decoder).sum()
            errors[index, position] -= 2.0 * ((decoder @ across) * encoder.T).sum()
    return errors
