"""Small files of trained spiking networks: recurrent weights as a product of few components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from popdyn.errors import TensorError
from popdyn.network.spiking import Spiking
from popdyn.network.spiking_store import COLUMN, LEFT, RECURRENT, RIGHT, stored

Single = NDArray[np.float32]

# Singular values below this share of the largest are rounding errors of a product.
_TOLERANCE = 1e-10
_ROUNDED = ("input", "output_fast", "output_slow")


@dataclass(frozen=True)
class Compact:
    """A spiking network for a small file.

    Dense recurrent weights of low rank, such as those that `popdyn.train.full_force` learns, are
    written as the product of two thin matrices that fast and slow synapses share.  They, and
    input and output weights, are rounded to single precision.  What `popdyn.load` gives back is a
    `Spiking` whose input and output weights are off by less than 1e-7 of each; recurrent weights
    are sums of products, off by about 1e-7 of the largest, which for small ones can be far more of
    their own size.  Spikes differ after a while.

    Parameters
    ----------
    net : Spiking
        The network.

    Raises
    ------
    TensorError
        If the recurrent weights are sparse or not of low rank, so that nothing would be gained.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> net = pdn.network.Spiking(np.full((50, 50), -0.1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pdn.save(pdn.network.Compact(net), f"{folder}/net.nc")
    ...     pdn.load(path).recurrent_fast[0, :2].round(6).tolist()
    [-0.1, -0.1]
    """

    net: Spiking

    def __post_init__(self) -> None:
        self._factors()

    def to_dataset(self) -> xr.Dataset:
        """Return the network as a Dataset, from which ``Spiking.from_dataset`` makes one again."""
        whole = stored(self.net)
        left, right, columns = self._factors()
        units = {"units": self.net.unit}
        parts: dict[str, Any] = {
            LEFT: (("neuron", "component"), left, units),
            RIGHT: (("component", "column"), right, units),
        }
        for name, column in columns.items():
            parts[name + COLUMN] = ("presynaptic", column)
        single = {name: whole[name].astype(np.float32) for name in _ROUNDED}
        small = whole.drop_vars(list(columns)).assign({**single, **parts})
        for variable in small.variables.values():
            if variable.ndim:
                variable.encoding = {"zlib": True, "complevel": 9, "shuffle": True}
        return small

    def _factors(self) -> tuple[Single, Single, dict[str, NDArray[np.int32]]]:
        """Return two matrices, and which column of their product belongs to which sender.

        Columns that are alike, such as those of neurons that only inhibit, are kept once.
        """
        names = [name for name in RECURRENT if getattr(self.net, name) is not None]
        matrices = [getattr(self.net, name) for name in names]
        if any(sparse.issparse(matrix) for matrix in matrices):
            message = "sparse recurrent weights make small files as they are: pdn.save(net, path)"
            raise TensorError(message)
        unique, column = np.unique(np.concatenate(matrices, axis=1), axis=1, return_inverse=True)
        limits: Any = threadpool_limits
        with limits(1, user_api="blas"):
            left, size, right = np.linalg.svd(unique, full_matrices=False)
        n = max(1, int((size > _TOLERANCE * size[0]).sum()))
        if n > self.net.n_neurons // 3:
            message = (
                f"the recurrent weights of {self.net.n_neurons} neurons have rank {n}: nothing is "
                "gained by a product. Save the network as it is, pdn.save(net, path)"
            )
            raise TensorError(message)
        root = np.sqrt(size[:n])
        parts = np.split(column.ravel().astype(np.int32), len(names))
        factors = (left[:, :n] * root, root[:, None] * right[:n])
        one, other = (factor.astype(np.float32) for factor in factors)
        return one, other, dict(zip(names, parts, strict=True))
