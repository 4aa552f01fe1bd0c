"""A small HTTP server on this machine that serves one file, well or with a chosen vice."""

from __future__ import annotations

import gzip
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + b"x" * 400 + b"</body>"


@dataclass
class Vices:
    """What is wrong with the server; a fresh one has none.  May be changed while it runs."""

    ranges: bool = True  # False: status 200 with the whole file
    page: bool = False  # status 200 with a web page
    head: int = 200  # status of HEAD: 403 and 405 as presigned addresses do
    head_length: int = 0  # added to the Content-Length of HEAD
    etag: str | None = '"first"'
    etag_until: int = 10**9  # no ETag from this GET on
    modified: str | None = None  # Last-Modified
    conditions: bool = True  # False: If-Match and If-None-Match are not heeded
    delay: float = 0.0  # seconds before the first byte
    bytes_per_second: float | None = None
    drop_after: int | None = None  # bytes of the body, then the connection is cut
    drop_every: int = 1  # every k-th GET
    body: int = 0  # bytes added to (or cut from) the body, Content-Length with it
    overrun: int = 0  # bytes sent beyond Content-Length
    start: int = 0  # added to the first byte that Content-Range states
    shift: int = 0  # data from elsewhere, headers say so ...
    shift_from: int = 0  # ... from this GET on
    total: int = 0  # added to the total that Content-Range states
    total_from: int = 0  # ... from this GET on
    chunked: bool = False  # no Content-Length
    gzip: bool = False
    status: int | None = None  # this status instead of an answer
    status_times: int = 10**9  # ... for so many GETs
    status_from: int = 0  # ... beginning with this one
    retry_after: str | None = None
    redirect: int = 0  # 1: / sends to /target; 2: and that to another; 99: for ever
    target_uses: int = 10**9  # a redirect's target is refused (403) after so many GETs
    new_content: bytes | None = None  # served with another ETag ...
    new_from: int = 10**9  # ... from this GET on


@dataclass
class Request:
    method: str
    path: str
    range: str | None
    headers: dict[str, str]
    status: int = 0
    n_bytes: int = 0


@dataclass
class RangeServer:
    """Serve `content` at ``.address`` for the length of a ``with`` block."""

    content: bytes
    vices: Vices = field(default_factory=Vices)
    requests: list[Request] = field(default_factory=list)

    def __enter__(self):
        owner = self

        class Handler(_Handler):
            server_owner = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._target = 0
        self._target_uses = 0
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def address(self) -> str:
        return f"{self.origin}/data/recording.nwb"

    @property
    def gets(self) -> list[Request]:
        return [request for request in self.requests if request.method == "GET"]

    @property
    def n_bytes(self) -> int:
        return sum(request.n_bytes for request in self.gets)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_owner: RangeServer

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def do_HEAD(self):
        owner, request = self._note("HEAD")
        request.status = owner.vices.head
        headers = {"Content-Length": str(len(owner.content) + owner.vices.head_length)}
        if owner.vices.ranges:
            headers["Accept-Ranges"] = "bytes"
        self._head(owner.vices.head, headers if owner.vices.head == 200 else {})

    def do_GET(self):
        owner, request = self._note("GET")
        vices = owner.vices
        number = len(owner.gets) - 1
        owner.stopped.wait(vices.delay)
        if self._sent_elsewhere(request):
            return
        if vices.status and vices.status_from <= number < vices.status_from + vices.status_times:
            headers = {"Retry-After": vices.retry_after} if vices.retry_after else {}
            self._send(request, vices.status, headers, b"<Error><Code>Refused</Code></Error>")
            return
        content, etag = owner.content, vices.etag
        if number >= vices.new_from:
            content, etag = vices.new_content, '"second"' if etag else None
        headers = {"ETag": etag} if etag and number < vices.etag_until else {}
        if vices.modified:
            headers["Last-Modified"] = vices.modified
        if vices.page:
            self._send(request, 200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)
        elif vices.conditions and self._is_known(etag):
            request.status = 304
            self._head(304, headers)
        elif vices.conditions and etag and self.headers.get("If-Match") not in (None, etag):
            self._send(request, 412, {}, b"")
        else:
            self._answer(request, content, headers, number)

    def _is_known(self, etag):
        """As common servers do: a file that is not newer than the date counts as known."""
        date = self.headers.get("If-Modified-Since")
        return self.headers.get("If-None-Match") == etag if etag else date is not None

    def _answer(self, request, content, headers, number):
        vices = self.server_owner.vices
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.range or "")
        if not vices.ranges or not match:
            self._send(request, 200, headers, content, number)
            return
        start = int(match[1])
        if start >= len(content):
            headers["Content-Range"] = f"bytes */{len(content)}"
            self._send(request, 416, headers, b"")
            return
        stop = min(int(match[2] or len(content) - 1), len(content) - 1) + 1
        total = len(content) + (vices.total if number >= vices.total_from else 0)
        if number >= vices.shift_from:
            start, stop = start + vices.shift, stop + vices.shift
        body = content[start:stop]
        headers["Content-Range"] = f"bytes {start + vices.start}-{stop - 1}/{total}"
        if vices.gzip:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body)
        if vices.body:
            body = body[: vices.body] if vices.body < 0 else body + b"\0" * vices.body
        self._send(request, 206, headers, body, number)

    def _sent_elsewhere(self, request) -> bool:
        """Redirect to a target that is good for some uses, as presigned addresses are."""
        owner = self.server_owner
        vices, path = owner.vices, self.path.split("?")[0]
        if not vices.redirect:
            return False
        steps = int(path.rsplit("-", 1)[1]) if path.startswith("/target-") else 0
        if not steps:
            with owner._lock:
                owner._target += 1
                owner._target_uses = 0
        if steps < vices.redirect:
            place = f"/target-{steps + 1}?X-Amz-Signature=secret{owner._target}"
            self._send(request, 302, {"Location": place}, b"")
            return True
        with owner._lock:
            owner._target_uses += 1
            expired = owner._target_uses > vices.target_uses
        if expired or not self.path.endswith(f"secret{owner._target}"):
            self._send(request, 403, {}, b"<Error><Message>Request has expired</Message></Error>")
            return True
        return False

    def _note(self, method):
        request = Request(method, self.path, self.headers.get("Range"), dict(self.headers))
        with self.server_owner._lock:
            self.server_owner.requests.append(request)
        return self.server_owner, request

    def _head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304 and not {"Content-Length", "Transfer-Encoding"} & set(headers):
            self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, request, status, headers, body, number=None):
        vices = self.server_owner.vices
        request.status = status
        if vices.chunked:
            headers = headers | {"Transfer-Encoding": "chunked"}
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        else:
            headers = headers | {"Content-Length": str(len(body))}
            body += b"\0" * vices.overrun
        self._head(status, headers)
        if vices.drop_after is not None and number is not None and not number % vices.drop_every:
            body = body[: vices.drop_after]
            self.close_connection = True
        self._trickle(request, body)

    def _trickle(self, request, body):
        speed = self.server_owner.vices.bytes_per_second
        step = len(body) or 1 if speed is None else max(1, int(speed / 50))
        for start in range(0, len(body), step):
            part = body[start : start + step]
            request.n_bytes += len(part)
            self.wfile.write(part)
            if speed is not None and self.server_owner.stopped.wait(len(part) / speed):
                self.close_connection = True
                return


def serve(content: bytes, **vices) -> RangeServer:
    """Make a server of `content` with these vices."""
    return RangeServer(content, Vices(**vices))
