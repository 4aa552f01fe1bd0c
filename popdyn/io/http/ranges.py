"""Parts of a file over HTTP, each answer checked before a byte of it is believed."""

from __future__ import annotations

import logging
import random
import time
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from popdyn.errors import SourceError
from popdyn.io.http.answers import (
    DOWNLOAD,
    AnswerError,
    Content,
    broken,
    check_part,
    next_place,
    shown,
)

_LOG = logging.getLogger("popdyn")
FIRST_WAIT = 0.25  # seconds before the first retry; doubles with each
SLOWEST = 20_000  # bytes per second, below which an answer counts as stalled
_PART = 2**20
# So much of a broken answer is a success of its own: the count of failures starts again.
_PROGRESS = 2**18
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
# What a remembered target answers when its signature is no longer good, or the file moved on.
_EXPIRED = (400, 401, 403, 404, 410, *_REDIRECTS)
_TOO_SLOW = f"the bytes came at less than {SLOWEST // 1000} kB per second"


class RangeReader:
    """Fetch parts of the file at an address; patient with servers, but not for ever.

    Parameters
    ----------
    address : str
    timeout : float
        Seconds without a byte before a request counts as failed, and the longest
        ``Retry-After`` that is waited for.
    n_retries : int
        How many times in a row a request may fail before a SourceError.
    """

    def __init__(self, address: str, timeout: float, n_retries: int) -> None:
        self.address = address
        self.timeout = timeout
        self.n_retries = n_retries
        self.n_requests = 0
        self.n_bytes = 0
        self.content: Content | None = None
        self.renew()

    def renew(self) -> None:
        """Forget connections: a forked process must not share those of its parent."""
        self._managers: dict[str, Any] = {}
        self._target = ""

    def close(self) -> None:
        """Close the connections; another request opens new ones."""
        for manager in self._managers.values():
            manager.clear()
        self.renew()

    def open(self, n_first: int, known: Content | None = None) -> bytes | None:
        """Learn what the address serves; return its first bytes, or None if it is `known`."""
        # Not If-Modified-Since: an older file put back in place would count as unchanged.
        if known and known.has_strong_etag:
            return self._patiently(0, n_first, {"If-None-Match": known.etag}, known)
        return self._patiently(0, n_first, {}, None)

    def fetch(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to, but without, `stop`."""
        content = self.content
        conditions = {"If-Match": content.etag} if content and content.has_strong_etag else {}
        body = self._patiently(start, stop, conditions, None)
        assert body is not None  # only a conditional open has none
        return body

    def _patiently(
        self, start: int, stop: int, conditions: dict[str, str], known: Content | None
    ) -> bytes | None:
        body = bytearray()
        n_failures = 0
        while True:
            n_before = len(body)
            try:
                if not self._receive(body, start, stop, conditions, known):
                    return None
                return bytes(body)
            except AnswerError as failure:
                self._target = ""
                n_failures = 0 if len(body) - n_before >= _PROGRESS else n_failures
                if failure.final or n_failures >= self.n_retries:
                    # Without its cause: the errors of urllib3 quote the address, secrets and all.
                    raise self._error(failure, start, stop, n_failures + 1) from None
                wait = max(failure.wait, FIRST_WAIT * 2**n_failures * random.uniform(0.7, 1.0))
                _LOG.info("%s: %s; next try in %.1f s", shown(self.address), failure.came, wait)
                time.sleep(wait)
                n_failures += 1

    def _error(self, failure: AnswerError, start: int, stop: int, n_tries: int) -> SourceError:
        tries = f" ({n_tries} tries)" if n_tries > 1 else ""
        message = (
            f"{shown(self.address)} cannot be read: expected bytes {start:,} to {stop - 1:,}, "
            f"{failure.came}{tries}. {failure.advice}"
        )
        return SourceError(message)

    def _receive(
        self,
        body: bytearray,
        start: int,
        stop: int,
        conditions: dict[str, str],
        known: Content | None,
    ) -> bool:
        """Append to `body` what it lacks of the range; False if the content is the known one."""
        begin = start + len(body)
        headers = {"Range": f"bytes={begin}-{stop - 1}", "Accept-Encoding": "identity"}
        response = self._respond(headers | conditions)
        complete = False
        try:
            if known and response.status == 304:
                self.content = known
                return False
            found = check_part(response, self.content, begin, stop, self.timeout)
            stop = min(stop, found.size)
            self._read(response, body, stop - start)
            self.content = found
            complete = True
        finally:
            if not complete:
                response.close()
        return True

    def _read(self, response: Any, body: bytearray, n_wanted: int) -> None:
        from urllib3.exceptions import HTTPError

        n_before = len(body)
        deadline = time.monotonic() + self.timeout + (n_wanted - n_before) / SLOWEST
        try:
            while len(body) < n_wanted:
                part = response.read1(min(_PART, n_wanted - len(body)), decode_content=False)
                if not part:
                    break
                body += part
                self.n_bytes += len(part)
                if time.monotonic() > deadline and len(body) < n_wanted:
                    raise AnswerError(_TOO_SLOW)
            surplus = response.read1(1, decode_content=False)
        except (HTTPError, OSError) as error:
            raise broken(error, self.timeout, len(body) - n_before) from None
        if surplus or len(body) < n_wanted:
            more = "more" if surplus else f"{len(body) - n_before:,}"
            # The answer ended in good order, so what it held is not to be trusted either.
            came = f"came {more} instead of {n_wanted - n_before:,} bytes"
            del body[n_before:]
            raise AnswerError(came, DOWNLOAD)

    def _respond(self, headers: dict[str, str]) -> Any:
        """Return the answer of the address, or of where it sends us; what it signed can expire."""
        if self._target:
            response = self._get(self._target, headers)
            if response.status not in _EXPIRED:
                return response
            response.close()
            self._target = ""
        place = self.address
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._get(place, headers)
            if response.status not in _REDIRECTS:
                self._target = place if place != self.address else ""
                return response
            response.close()
            place = next_place(place, response.headers.get("Location", ""))
        came = f"came redirects, more than {_MOST_REDIRECTS} times"
        raise AnswerError(came, "Check the address. " + DOWNLOAD, final=True)

    def _get(self, place: str, headers: dict[str, str]) -> Any:
        from urllib3.exceptions import HTTPError

        self.n_requests += 1
        try:
            return self._manager(place).request(
                "GET",
                place,
                headers=headers,
                timeout=self.timeout,
                redirect=False,
                retries=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise broken(error, self.timeout, 0, first=self.content is None) from None

    def _manager(self, place: str) -> Any:
        """Return the pool of connections for an address: straight, or through the proxy set."""
        import urllib3

        parts = urlsplit(place)
        host = parts.hostname or ""
        proxy = "" if proxy_bypass(host) else getproxies().get(parts.scheme, "")
        if proxy not in self._managers:
            self._managers[proxy] = _through(proxy) if proxy else urllib3.PoolManager()
        return self._managers[proxy]


def _through(proxy: str) -> Any:
    import urllib3

    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    login, _, host = parts.netloc.rpartition("@")
    headers = urllib3.make_headers(proxy_basic_auth=unquote(login)) if login else None
    return urllib3.ProxyManager(f"{parts.scheme}://{host}", proxy_headers=headers)
