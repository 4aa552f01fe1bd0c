"""Blocks of a remote file: which to fetch, how many at once, which to keep."""

from __future__ import annotations

from collections import OrderedDict

from popdyn.errors import SourceError
from popdyn.io.http.block_folder import BlockFolder
from popdyn.io.http.ranges import RangeReader

_MOST_AT_ONCE = 2**24
_MOST_RUNS = 64


class Blocks:
    """The content of a remote file in blocks, kept in memory and, with a folder, on disk.

    Small reads here and there fetch a block each.  A read that goes on where a request ended
    fetches twice as much as that request did: metadata stays cheap, a long column takes few
    requests.

    Parameters
    ----------
    ranges : RangeReader
    block_size : int
    cache_bytes : int
        The most that is kept in memory; blocks unused for longest go first.
    folder : BlockFolder, optional
    """

    def __init__(
        self, ranges: RangeReader, block_size: int, cache_bytes: int, folder: BlockFolder | None
    ) -> None:
        self._ranges = ranges
        self._block_size = block_size
        self._cache_bytes = cache_bytes
        self._folder = folder
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._runs: OrderedDict[int, int] = OrderedDict()
        self.error: SourceError | None = None
        self._first = self._open()

    def _open(self) -> bytes:
        """Return the first block.

        HDF5 does not close a file whose very first read fails, and Python then crashes when it
        ends: the first block is here before HDF5 asks for it, and stays.
        """
        known = self._folder.known() if self._folder else None
        first = self._ranges.open(self._block_size, known)
        content = self._ranges.content
        assert content is not None  # else open has raised
        self.content = content
        self.size = content.size
        if self._folder:
            self._folder.begin(content)
            if first is None:
                first = self._folder.get(0, self._span(0, 1))
                if first is not None:
                    return first
        first = self._ranges.fetch(0, self._span(0, 1)) if first is None else first
        if self._folder:
            self._folder.put(0, first)
        return first

    def fill(self, view: memoryview, start: int) -> int:
        """Fill `view` with the bytes from `start`, all of them up to the end of the file."""
        n_bytes = max(0, min(len(view), self.size - start))
        last = (start + n_bytes - 1) // self._block_size
        n_done = 0
        while n_done < n_bytes:
            index, skip = divmod(start + n_done, self._block_size)
            part = memoryview(self._block(index, last))[skip : skip + n_bytes - n_done]
            view[n_done : n_done + len(part)] = part
            n_done += len(part)
        return n_bytes

    def clear(self) -> None:
        """Forget what is in memory."""
        self._blocks.clear()
        self._runs.clear()

    def _block(self, index: int, last: int) -> bytes:
        """Return a block from memory, from disk, or fetched with those after it."""
        if index == 0:
            return self._first
        if index in self._blocks:
            self._blocks.move_to_end(index)
            return self._blocks[index]
        stored = self._folder and self._folder.get(index, self._span(index, index + 1))
        if stored:
            self._keep(index, stored)
            return stored
        return self._fetch(index, last)

    def _fetch(self, index: int, last: int) -> bytes:
        stop = self._run(index, last)
        if self.error is not None:
            raise SourceError(str(self.error))
        begin = index * self._block_size
        try:
            body = self._ranges.fetch(begin, begin + self._span(index, stop))
        except SourceError as error:
            self.error = error
            raise
        for number in range(stop - 1, index - 1, -1):
            place = (number - index) * self._block_size
            block = body[place : place + self._block_size]
            self._keep(number, block)
            if self._folder:
                self._folder.put(number, block)
        self._runs[stop] = stop - index
        while len(self._runs) > _MOST_RUNS:
            self._runs.popitem(last=False)
        return block

    def _run(self, index: int, last: int) -> int:
        """Return where a request for a block should stop: what is asked for, or read ahead."""
        most = max(1, min(_MOST_AT_ONCE, self._cache_bytes // 2) // self._block_size)
        n_ahead = 2 * self._runs.pop(index, 0)
        n_blocks = min(most, max(last - index + 1, n_ahead))
        stop = min(index + n_blocks, -(-self.size // self._block_size))
        for number in range(index + 1, stop):
            if number in self._blocks or (self._folder and self._folder.has(number)):
                return number
        return stop

    def _span(self, index: int, stop: int) -> int:
        """Bytes of the blocks from `index` up to `stop`: the last of a file may be short."""
        return min(stop * self._block_size, self.size) - index * self._block_size

    def _keep(self, index: int, block: bytes) -> None:
        self._blocks[index] = block
        while len(self._blocks) > 1 and len(self._blocks) * self._block_size > self._cache_bytes:
            self._blocks.popitem(last=False)
