"""What a server answered when it was asked for a part of a file, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
DOWNLOAD = "Download the whole file (curl -L, or its archive's own tool) and give its path."
_LATER = "Try again later. " + DOWNLOAD
_ADVICE = {
    400: "A signed address may have expired: ask its archive for a new one.",
    401: "It asks for a login, which popdyn does not send. " + DOWNLOAD,
    403: "It needs permission, or a signed address has expired: ask its archive for a new one.",
    404: "There is no such file: check the address.",
    410: "The file was removed: look for its new address.",
    412: "The file changed while it was being read: open it again.",
    429: "The server asks for fewer requests. " + _LATER,
}
# At the first request these are a mistake in the address, not a passing trouble.
_HOPELESS = ("NameResolutionError", "LocationParseError", "LocationValueError", "SSLError")


def shown(address: str) -> str:
    """Return an address without what may be secret: login, query and fragment."""
    parts = urlsplit(address)
    host = parts.netloc.rsplit("@", 1)[-1]
    return f"{parts.scheme}://{host}{parts.path}"


@dataclass(frozen=True)
class Content:
    """What an address serves; as long as these stay the same, so do the bytes."""

    size: int
    etag: str = ""
    modified: str = ""

    @property
    def is_known(self) -> bool:
        """Whether another answer can be told to be of the very same bytes."""
        return bool(self.modified) or self.has_strong_etag

    @property
    def has_strong_etag(self) -> bool:
        """Whether the ETag stands for bytes, not only for meaning."""
        return self.etag.startswith('"')


class AnswerError(Exception):
    """One request that failed: what came instead of the bytes, and what a user can do.

    `final` ones are not worth another try; before one, `wait` seconds were asked for.
    """

    def __init__(self, came: str, advice: str = _LATER, *, final: bool = False, wait: float = 0.0):
        super().__init__(came)
        self.came, self.advice, self.final, self.wait = came, advice, final, wait


def check_part(
    response: Any, content: Content | None, start: int, stop: int, timeout: float
) -> Content:
    """Refuse an answer that is not exactly the part asked for, of the content known so far.

    Returns
    -------
    Content
        What the answer says it is a part of.  At the first answer (`content` is None) the file
        may end before `stop`.

    Raises
    ------
    AnswerError
    """
    if response.status != 206:
        raise _refused(response, timeout)
    headers = response.headers
    encoding = headers.get("Content-Encoding", "identity")
    if encoding not in ("", "identity"):
        came = f"came {encoding}-compressed, which was not asked for"
        raise AnswerError(came, DOWNLOAD)
    stated = headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", stated.strip())
    if not match:
        came = f"came without a usable Content-Range ({stated[:60]!r})"
        raise AnswerError(came, DOWNLOAD)
    first, last, total = (int(number) for number in match.groups())
    found = Content(total, headers.get("ETag", ""), headers.get("Last-Modified", ""))
    stop = min(stop, total) if content is None else stop
    _check_same(content or found, found)
    if (first, last) != (start, stop - 1):
        came = f"came bytes {first:,} to {last:,} of {total:,}"
        raise AnswerError(came, DOWNLOAD)
    length = headers.get("Content-Length", str(stop - start))
    if length != str(stop - start):
        came = f"came {length} instead of {stop - start} bytes"
        raise AnswerError(came, DOWNLOAD)
    return found


def _check_same(expected: Content, found: Content) -> None:
    if expected.etag and found.etag and expected.etag != found.etag:
        came = "came a part of another version (its ETag differs)"
        raise AnswerError(came, _ADVICE[412], final=True)
    if not expected.etag and expected.modified != found.modified:
        came = "came a part of another version (its date differs)"
        raise AnswerError(came, _ADVICE[412], final=True)
    if expected.etag != found.etag:
        came = "came a part without the ETag the file had before"
        raise AnswerError(came, DOWNLOAD)
    if expected.size != found.size:
        came = f"came a part of a file of {found.size:,} bytes, which had {expected.size:,}"
        raise AnswerError(came, DOWNLOAD)


def _refused(response: Any, timeout: float) -> AnswerError:
    """Say why an answer with another status than 206 cannot serve."""
    status = response.status
    if status == 200:
        return _whole(response)
    if status == 416 and response.headers.get("Content-Range", "").strip() == "bytes */0":
        advice = "The file is empty there: ask its archive."
        return AnswerError("came 0 bytes", advice, final=True)
    came = f"came status {status} ({response.reason or 'no reason given'})"
    asked = response.headers.get("Retry-After", "")
    wait = float(asked) if re.fullmatch(r"\d{1,9}", asked) else 0.0
    if status in _TRY_AGAIN and wait > timeout:
        came = f"{came} and the request to wait {wait:,.0f} s"
        return AnswerError(came, final=True)
    advice = _ADVICE.get(status, _LATER if status in _TRY_AGAIN else DOWNLOAD)
    final = status not in (*_TRY_AGAIN, 416)
    return AnswerError(came, advice, final=final, wait=wait)


def _whole(response: Any) -> AnswerError:
    if "html" in response.headers.get("Content-Type", ""):
        advice = "Give the address behind its download button, or download the file."
        return AnswerError("came a web page", advice, final=True)
    came = "came the whole file (status 200): the server does not send parts"
    return AnswerError(came, DOWNLOAD, final=True)


def broken(error: Exception, timeout: float, n_bytes: int, *, first: bool = False) -> AnswerError:
    """Say what broke a connection, in words that cannot hold a secret as urllib3's can."""
    kind = type(error).__name__
    final = first and kind in _HOPELESS
    network = "Check the address and the network."
    if "Timeout" in kind or isinstance(error, TimeoutError):
        return AnswerError(f"nothing came for {timeout:g} s")
    if kind == "NameResolutionError":
        return AnswerError("the name of the host is not known", network, final=final)
    if kind.startswith("Location"):
        return AnswerError("it is no valid address", "Check the address.", final=final)
    if kind == "SSLError":
        advice = "Check the address; behind a proxy, SSL_CERT_FILE must name its certificates."
        return AnswerError("no secure connection could be made", advice, final=final)
    if kind in ("NewConnectionError", "ProxyError"):
        return AnswerError("no connection could be made", network)
    return AnswerError(f"the connection broke after {n_bytes:,} bytes")


def next_place(place: str, location: str) -> str:
    """Return where a redirect sends a request; from https only to https."""
    try:
        there = urljoin(place, location)
        scheme = urlsplit(there).scheme if location else ""
    except ValueError:
        there, scheme = "", ""
    allowed = ("https",) if place.lower().startswith("https:") else ("http", "https")
    if scheme not in allowed:
        came = f"came a redirect to {shown(there) if scheme else 'nowhere'}"
        raise AnswerError(came, "Check the address. " + DOWNLOAD, final=True)
    return there
