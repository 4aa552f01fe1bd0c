"""Files of a finished training: the network, and beside it the history that says what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from popdyn.errors import SourceError
from popdyn.network.kinds import Network
from popdyn.tensor.result import digest
from popdyn.tensor.store import load, save
from popdyn.train.identity import differences

HISTORY = "_history"
# Attributes of the history: what the training is, and the network that it belongs to.
_TRAINING, _NETWORK = "training", "network"


@dataclass(frozen=True)
class Finished:
    """Where a trained network is, or will be.

    Parameters
    ----------
    network : Path
        File of the network.
    training : str
        What the training is, from `popdyn.train.identity.training_words`.
    """

    network: Path
    training: str

    @property
    def history(self) -> Path:
        """File of the history, beside that of the network."""
        return self.network.with_name(f"{self.network.stem}{HISTORY}{self.network.suffix}")

    def refuse_another(self) -> None:
        """Refuse files of another training; of those that cannot be read nothing is said.

        Raises
        ------
        SourceError
            Saying what differs.
        """
        if not self.history.exists():
            return
        try:
            told = load(self.history)
        except SourceError:
            return
        found = told.attrs.get(_TRAINING) if isinstance(told, xr.Dataset) else None
        said = "it does not say of which" if found is None else differences(found, self.training)
        if said:
            message = (
                f"{self.history.name!r} is of another training ({said}), and its network is not "
                "replaced: give another name or folder, or remove both"
            )
            raise SourceError(message)

    def read(self) -> xr.Dataset | None:
        """Return the history of a network that is there and whole; None if there is none.

        Raises
        ------
        SourceError
            If the files are of another training, damaged, or do not belong together.
        """
        self.refuse_another()
        if not self.network.exists():
            return None
        if not self.history.exists():
            message = (
                f"{self.network.name!r} is there without {self.history.name!r}, which says what it "
                "is of, and is not replaced: give another name or folder, or remove it"
            )
            raise SourceError(message)
        try:
            told: xr.Dataset = load(self.history)
            net = load(self.network)
        except SourceError as error:
            message = f"a finished network is damaged: {error} Remove it to train anew"
            raise SourceError(message) from None
        if not isinstance(net, Network) or not self._belongs(told, net):
            message = (
                f"{self.network.name!r} is not the network that {self.history.name!r} is of: "
                "remove both to train anew"
            )
            raise SourceError(message)
        return told

    @staticmethod
    def _belongs(told: xr.Dataset, net: Network) -> bool:
        """Tell whether a network is that of a history; histories of before do not say."""
        return bool(told.attrs.get(_NETWORK) in (None, digest(net.to_dataset())))

    def write(self, net: Network, told: xr.Dataset) -> xr.Dataset:
        """Write both files, the network last: where it is, both are.

        Returns
        -------
        Dataset
            The history as it is stored.

        Raises
        ------
        SourceError
            If one cannot be written.
        """
        about = {_TRAINING: self.training, _NETWORK: digest(net.to_dataset())}
        told = told.assign_attrs(about)
        save(told, self.history)
        save(net, self.network)
        return told
