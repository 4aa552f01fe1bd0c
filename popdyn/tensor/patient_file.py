"""A file to write HDF5 to: a full disk is remembered, not thrown at the HDF5 library."""

from __future__ import annotations

import io
from typing import Any


class PatientFile(io.FileIO):
    """A new file that takes all that is written to it, and remembers the first write that failed.

    HDF5 keeps data back until a file is closed.  When writing them fails then, it cannot close the
    file, tries again at exit, and takes the interpreter down.

    Parameters
    ----------
    path : str
        What is there is replaced.

    Attributes
    ----------
    failure : OSError or None
        Why the file is not whole; from then on nothing is written.
    """

    def __init__(self, path: str) -> None:
        self.failure: OSError | None = None
        super().__init__(path, "w+")

    def __reduce__(self) -> tuple[Any, ...]:
        """Be the path in another process: locks of dask are named by what is written to."""
        return str, (self.name,)

    def write(self, data: Any) -> int:
        """Write all of `data`, and tell how much that is."""
        view = memoryview(data).cast("B")
        start, done = self.tell(), 0
        while done < len(view) and self.failure is None:
            try:
                done += super().write(view[done:])
            except OSError as error:
                self.failure = error
        if done < len(view):
            self.seek(start + len(view))
        return len(view)

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; what was never written is zero."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            n_read = super().readinto(view[done:])
            if not n_read:
                view[done:] = bytes(len(view) - done)
                break
            done += n_read
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the size of the file."""
        if self.failure is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.failure = error
        return self.tell() if size is None else size
