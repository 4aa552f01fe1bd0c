"""Files at an address: the right bytes, or one line that says what came instead."""

import io
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from popdyn.errors import PopdynWarning, SourceError
from popdyn.io.http import ranges
from popdyn.io.http.answers import AnswerError, next_place
from popdyn.io.remote import is_address, open_remote
from tests.io.range_server import serve
from tests.io.recordings import SHIPPED

BLOCK = 2**14
BYTES = np.random.default_rng(0).bytes(20 * BLOCK + 77)
OTHER = np.random.default_rng(1).bytes(len(BYTES))
DATE = "Mon, 02 Nov 2026 08:00:00 GMT"
SECRET = "X-Amz-Signature=hush"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(ranges, "FIRST_WAIT", 0.002)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def opened(address, **kwargs):
    return open_remote(address, **{"timeout": 2.0, "block_size": BLOCK} | kwargs)


def read_all(server, **kwargs):
    """Read in an awkward order: the end, the start, then everything."""
    with opened(server.address, **kwargs) as remote:
        remote.seek(-50, io.SEEK_END)
        end = remote.read()
        remote.seek(3)
        start = remote.read(10)
        return end, start, remote.read_at(0, remote.size)


def refusal(server, **kwargs):
    """The one line of a SourceError, which must come soon and hold no secret."""
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        read_all(server, **kwargs)
    assert time.monotonic() - began < 4.0
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert "/data/recording.nwb" in message
    return message


# ---------------------------------------------------------------- servers that can be lived with
@pytest.mark.parametrize(
    "vices",
    [
        {},
        {"head": 403},
        {"head": 405},
        {"head_length": 1000},
        {"head_length": -1000},
        {"etag": None},
        {"etag": 'W/"weak"'},
        {"etag": None, "modified": DATE},
        {"chunked": True},
        {"overrun": 100},
        {"bytes_per_second": 2e6},
        {"drop_after": 5000, "drop_every": 3},
        {"drop_after": 0, "drop_every": 2},
        {"status": 503, "status_times": 2, "retry_after": "0"},
        {"status": 500, "status_times": 3, "status_from": 2},
        {"status": 429, "status_times": 1, "retry_after": "Mon, 02 Nov 2026 08:00:00 GMT"},
        {"redirect": 1},
        {"redirect": 3},
        {"redirect": 1, "target_uses": 1},
    ],
    ids=str,
)
def test_right_bytes_come_from_a_server_that(vices):
    with serve(BYTES, **vices) as server:
        end, start, whole = read_all(server)
    assert end == BYTES[-50:]
    assert start == BYTES[3:13]
    assert whole == BYTES


@pytest.mark.parametrize(
    ("vices", "words"),
    [
        ({"ranges": False}, ["status 200", "does not send parts", "Download the whole file"]),
        ({"page": True}, ["came a web page", "download button"]),
        ({"status": 400}, ["status 400 (Bad Request)", "may have expired"]),
        ({"status": 401}, ["status 401 (Unauthorized)", "login", "give its path"]),
        ({"status": 403}, ["status 403 (Forbidden)", "signed address has expired"]),
        ({"status": 404}, ["status 404 (Not Found)", "check the address"]),
        ({"status": 410}, ["status 410 (Gone)", "new address"]),
        ({"status": 429}, ["status 429", "fewer requests"]),
        ({"status": 500}, ["status 500 (Internal Server Error) (6 tries)", "Try again later"]),
        ({"status": 503, "retry_after": "3600"}, ["status 503", "to wait 3,600 s"]),
        ({"status": 500, "status_from": 1}, ["expected bytes 327,680 to 327,756", "status 500"]),
        ({"drop_after": 10}, ["the connection broke after 10 bytes (6 tries)"]),
        ({"drop_after": 0}, ["the connection broke after 0 bytes (6 tries)"]),
        ({"body": -100}, ["came 16284 instead of 16384 bytes"]),
        ({"body": 100}, ["came 16484 instead of 16384 bytes"]),
        ({"body": -100, "chunked": True}, ["came 16,284 instead of 16,384 bytes"]),
        ({"body": 100, "chunked": True}, ["came more instead of 16,384 bytes"]),
        ({"start": 512}, ["expected bytes 0 to 16,383, came bytes 512 to 16,383 of 327,757"]),
        ({"shift": 512, "shift_from": 1}, ["came bytes 328,192 to 328,268 of 327,757"]),
        ({"total": 5, "total_from": 1}, ["a file of 327,762 bytes, which had 327,757"]),
        ({"total": 1000}, ["came bytes 327,680 to 327,756 of 328,757"]),
        ({"gzip": True}, ["gzip-compressed"]),
        ({"redirect": 99}, ["redirects, more than 5 times"]),
        ({"redirect": 1, "target_uses": 0}, ["status 403"]),
        ({"new_content": OTHER, "new_from": 1}, ["status 412", "changed", "open it again"]),
        ({"new_content": OTHER, "new_from": 1, "conditions": False}, ["its ETag differs"]),
        ({"etag_until": 1}, ["without the ETag the file had before (6 tries)"]),
        ({"new_content": OTHER[:-5], "new_from": 1, "etag": None}, ["327,752 bytes, which had"]),
    ],
    ids=str,
)
def test_one_line_says_what_came_from_a_server_that(vices, words):
    with serve(BYTES, **vices) as server:
        message = refusal(server)
    for word in words:
        assert word in message


def test_what_cannot_be_mended_is_not_asked_for_twice():
    for vices in ({"ranges": False}, {"page": True}, {"status": 403}, {"status": 404}):
        with serve(BYTES, **vices) as server:
            refusal(server)
        assert len(server.requests) == 1


def test_a_server_without_parts_does_not_send_the_whole_file():
    with serve(b"x" * 50_000_000, ranges=False, bytes_per_second=1e6) as server:
        refusal(server)
        assert server.n_bytes < 5e6


def test_an_empty_file_is_said_to_be_empty():
    with serve(b"") as server:
        assert "came 0 bytes. The file is empty there" in refusal(server)


def test_a_server_that_says_nothing_is_left_after_the_timeouts():
    with serve(BYTES, delay=60.0) as server:
        message = refusal(server, timeout=0.1, n_retries=2)
    assert "nothing came for 0.1 s (3 tries)" in message
    assert len(server.requests) == 3


def test_a_server_that_trickles_is_left_though_bytes_keep_coming():
    with serve(BYTES, bytes_per_second=3000) as server:
        message = refusal(server, timeout=0.2, n_retries=1, block_size=2**13)
    assert "less than 20 kB per second (2 tries)" in message


def test_a_pause_that_the_server_asks_for_is_kept():
    with serve(BYTES, status=503, status_times=1, retry_after="1") as server:
        began = time.monotonic()
        assert read_all(server)[2] == BYTES
        assert time.monotonic() - began > 1.0


def test_pauses_grow_with_each_failure(monkeypatch):
    pauses = []
    monkeypatch.setattr(ranges, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(ranges.time, "sleep", pauses.append)
    with serve(BYTES, status=500) as server:
        refusal(server)
    assert len(pauses) == 5
    for k, pause in enumerate(pauses):
        assert 0.7 * 2**k <= pause <= 2**k


def test_a_date_tells_versions_apart_where_there_is_no_etag():
    with serve(BYTES, etag=None, modified=DATE) as server, opened(server.address) as remote:
        assert remote.read(5) == BYTES[:5]
        server.vices.modified = DATE.replace("08:", "09:")
        with pytest.raises(SourceError, match="its date differs.*open it again"):
            remote.read_at(3 * BLOCK, 5)


def test_nobody_answering_is_said_and_secrets_are_not():
    with serve(BYTES) as server:
        address = server.address
    address = address.replace("http://", "http://me:hush@") + "?" + SECRET
    with pytest.raises(SourceError, match="no connection could be made") as caught:
        opened(address, n_retries=0)
    printed = "".join(traceback.format_exception(caught.value))
    assert "hush" not in printed


def test_a_host_without_a_name_in_the_net_is_refused_at_once():
    with pytest.raises(SourceError, match="the name of the host is not known. Check") as caught:
        opened(f"http://no-such-host.invalid/a.nwb?{SECRET}")
    assert "tries" not in str(caught.value)


def test_no_message_shows_the_query_of_a_signed_address():
    with serve(BYTES, status=403) as server:
        with pytest.raises(SourceError) as caught:
            opened(f"{server.address}?{SECRET}")
        assert "hush" not in str(caught.value)
        server.vices.status = None
        with opened(f"{server.address}?{SECRET}") as remote:
            assert "hush" not in repr(remote)
            assert remote.label == server.address
            assert remote.name == "recording.nwb"
            assert remote.address.endswith(SECRET)


# ---------------------------------------------------------------- redirects
def test_a_redirect_is_followed_once_and_remembered():
    with serve(BYTES, redirect=2) as server:
        read_all(server)
        paths = [request.path.split("?")[0] for request in server.gets]
    assert paths[:4] == ["/data/recording.nwb", "/target-1", "/target-2", "/target-2"]
    assert paths.count("/data/recording.nwb") == 1


def test_a_target_that_expired_is_asked_for_anew():
    with serve(BYTES, redirect=1, target_uses=2) as server, opened(server.address) as remote:
        for index in range(1, 15, 2):
            place = index * BLOCK
            assert remote.read_at(place, 9) == BYTES[place : place + 9]
        paths = [request.path.split("?")[0] for request in server.gets]
    assert 3 <= paths.count("/data/recording.nwb") <= 5


def test_a_target_that_fails_is_asked_for_anew():
    with serve(BYTES, redirect=1, status=500, status_from=2, status_times=1) as server:
        with opened(server.address) as remote:
            assert remote.read_at(BLOCK, 9) == BYTES[BLOCK : BLOCK + 9]
        paths = [request.path.split("?")[0] for request in server.gets]
    address, target = "/data/recording.nwb", "/target-1"
    assert paths == [address, target, target, address, target]


def test_a_redirect_never_leaves_a_secure_connection():
    assert next_place("http://a/b", "https://c/d") == "https://c/d"
    assert next_place("https://a/b", "/d") == "https://a/d"
    for location in ("http://c/d?hush", "ftp://c/d", "http://[c", ""):
        with pytest.raises(AnswerError, match="came a redirect to (http://c/d|ftp://c/d|nowhere)$"):
            next_place("https://a/b", location)


def test_a_proxy_that_is_set_is_used(monkeypatch):
    with serve(BYTES) as server:
        monkeypatch.setenv("http_proxy", server.origin.replace("http://", "http://me:word@"))
        with opened("http://archive.invalid/a.nwb") as remote:
            assert remote.read_at(0, len(BYTES)) == BYTES
        assert server.requests[0].path == "http://archive.invalid/a.nwb"
        headers = {name.lower(): value for name, value in server.requests[0].headers.items()}
        assert headers["proxy-authorization"] == "Basic bWU6d29yZA=="


def test_a_proxy_is_not_asked_for_hosts_that_go_without(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    with serve(BYTES) as server:
        with pytest.raises(SourceError, match="no connection could be made|name of the host"):
            opened(server.address, n_retries=0)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert read_all(server)[2] == BYTES


# ---------------------------------------------------------------- as a file
@pytest.fixture(scope="module")
def plain_server():
    with serve(BYTES) as server:
        yield server


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moves=st.lists(
        st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, len(BYTES)), st.integers(0, 70_000)),
        max_size=12,
    ),
    cache_bytes=st.sampled_from([0, 3 * BLOCK, 2**28]),
)
def test_it_reads_and_seeks_as_the_same_bytes_in_memory_do(plain_server, moves, cache_bytes):
    same = io.BytesIO(BYTES)
    with opened(plain_server.address, cache_bytes=cache_bytes) as remote:
        for whence, offset, size in moves:
            place = {0: offset, 1: offset // 3, 2: -offset}[whence]
            assert remote.seek(place, whence) == same.seek(place, whence)
            assert remote.read(size) == same.read(size)
            assert remote.tell() == same.tell()


def test_it_is_a_binary_file_that_can_only_be_read(plain_server):
    with opened(plain_server.address) as remote:
        assert remote.size == len(BYTES)
        assert remote.readable()
        assert remote.seekable()
        assert not remote.writable()
        assert io.BufferedReader(remote).read(5) == BYTES[:5]
        with pytest.raises(ValueError, match="before the start"):
            remote.seek(-1)
    assert remote.closed
    for read in (lambda: remote.read(3), lambda: remote.read_at(0, 3)):
        with pytest.raises(ValueError, match="is closed"):
            read()


def test_memory_is_bounded_and_old_blocks_are_fetched_again(plain_server):
    with opened(plain_server.address, cache_bytes=4 * BLOCK) as remote:
        assert remote.read_at(0, len(BYTES)) == BYTES
        assert len(remote._blocks._blocks) == 4
        n_fetched = remote.n_bytes_fetched
        assert remote.read_at(BLOCK, 10) == BYTES[BLOCK : BLOCK + 10]
        assert remote.n_bytes_fetched == n_fetched + BLOCK


def test_blocks_in_use_stay_in_memory_and_the_first_one_always(plain_server):
    with opened(plain_server.address, cache_bytes=4 * BLOCK) as remote:
        for index in (3, 5, 7, 9, 3, 11, 3, 13, 3, 15):
            remote.read_at(index * BLOCK, 5)
        n_requests = remote.n_requests
        assert n_requests == 1 + 7
        assert remote.read_at(3 * BLOCK, 5) == BYTES[3 * BLOCK :][:5]
        assert remote.read_at(0, 5) == BYTES[:5]
        assert remote.n_requests == n_requests


def test_what_is_there_is_not_fetched_with_its_neighbors(plain_server, tmp_path):
    for folder in (None, tmp_path):
        with opened(plain_server.address, cache_folder=folder) as remote:
            remote.read_at(6 * BLOCK, 5)
        with opened(plain_server.address, cache_folder=folder) as remote:
            remote.read_at(8 * BLOCK, 2 * BLOCK)
            n_before = remote.n_bytes_fetched
            assert remote.read_at(4 * BLOCK, 6 * BLOCK) == BYTES[4 * BLOCK : 10 * BLOCK]
            n_held = 2 if folder is None else 3
            assert remote.n_bytes_fetched - n_before == (6 - n_held) * BLOCK


def test_it_counts_what_it_asked_for_and_what_came():
    with serve(BYTES) as server, opened(server.address) as remote:
        assert (remote.n_requests, remote.n_bytes_fetched) == (1, BLOCK)
        remote.read_at(5 * BLOCK, 3 * BLOCK)
        assert (remote.n_requests, remote.n_bytes_fetched) == (2, 4 * BLOCK)
        remote.read_at(5 * BLOCK, 3 * BLOCK)
        assert len(server.requests) == remote.n_requests == 2
        assert server.n_bytes == remote.n_bytes_fetched


def test_a_broken_answer_goes_on_where_it_broke():
    with serve(BYTES, drop_after=10_000, drop_every=2) as server, opened(server.address) as remote:
        assert remote.read_at(BLOCK, 15 * BLOCK) == BYTES[BLOCK : 16 * BLOCK]
        assert server.n_bytes <= 16 * BLOCK
        starts = [int(request.range[6:].split("-")[0]) for request in server.gets]
    assert starts == [0, 10_000, BLOCK, BLOCK + 10_000][: len(starts)]


def test_what_comes_before_each_break_counts_as_progress():
    content = np.random.default_rng(3).bytes(3_000_000)
    with (
        serve(content, drop_after=300_000) as server,
        opened(server.address, n_retries=1) as remote,
    ):
        assert remote.read_at(BLOCK, len(content)) == content[BLOCK:]


def test_retries_are_logged_without_the_query(caplog):
    with serve(BYTES, status=500, status_times=1) as server, caplog.at_level("INFO", "popdyn"):
        opened(f"{server.address}?{SECRET}").close()
    ours = [record.getMessage() for record in caplog.records if record.name == "popdyn"]
    assert ours == [f"{server.address}: came status 500 (Internal Server Error); next try in 0.0 s"]


def test_threads_share_a_file():
    with serve(BYTES) as server, opened(server.address, cache_bytes=5 * BLOCK) as remote:
        places = np.random.default_rng(2).integers(0, len(BYTES) - 500, 200)
        with ThreadPoolExecutor(8) as pool:
            parts = list(pool.map(lambda place: remote.read_at(int(place), 500), places))
    for place, part in zip(places, parts, strict=True):
        assert part == BYTES[place : place + 500]


def _tail(remote):
    return remote.read(), os.getpid()


def test_it_travels_to_other_processes_and_keeps_its_place():
    with serve(BYTES) as server, opened(server.address) as remote:
        remote.seek(len(BYTES) - 7)
        again = pickle.loads(pickle.dumps(remote))
        assert again.tell() == remote.tell()
        again.close()
        tails = joblib.Parallel(n_jobs=2)(joblib.delayed(_tail)(remote) for _ in range(2))
    for tail, process in tails:
        assert tail == BYTES[-7:]
        assert process != os.getpid()


def test_a_file_that_changed_on_the_way_to_another_process_is_refused():
    with serve(BYTES, new_content=OTHER, new_from=1) as server:
        with opened(server.address) as remote:
            luggage = pickle.dumps(remote)
        with pytest.raises(SourceError, match="changed since it was opened"):
            pickle.loads(luggage)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
def test_a_fork_does_not_share_connections_with_its_parent():
    with serve(BYTES) as server, opened(server.address) as remote:
        remote.read_at(2 * BLOCK, 10)
        with warnings.catch_warnings(), remote._lock:  # as if a thread held it at the fork
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            right = all(remote.read_at(k * BLOCK, 99) == BYTES[k * BLOCK :][:99] for k in (4, 6, 8))
            os._exit(0 if right else 1)
        for k in (5, 7, 9):
            assert remote.read_at(k * BLOCK, 99) == BYTES[k * BLOCK :][:99]
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# ---------------------------------------------------------------- kept on disk
def test_a_second_opening_with_a_cache_folder_fetches_nothing(tmp_path):
    with serve(BYTES) as server:
        with opened(f"{server.address}?X-Amz-Signature=one", cache_folder=tmp_path) as remote:
            assert remote.read_at(0, len(BYTES)) == BYTES
        n_before = server.n_bytes
        with opened(f"{server.address}?X-Amz-Signature=two", cache_folder=tmp_path) as remote:
            assert remote.read_at(0, len(BYTES)) == BYTES
            assert (remote.n_requests, remote.n_bytes_fetched) == (1, 0)
        assert server.n_bytes == n_before
        assert server.gets[-1].status == 304


def test_an_older_file_put_back_in_place_is_seen_by_its_date(tmp_path):
    with serve(BYTES, etag=None, modified=DATE, new_content=OTHER) as server:
        with opened(server.address, cache_folder=tmp_path) as remote:
            remote.read_at(0, len(BYTES))
        with opened(server.address, cache_folder=tmp_path) as remote:
            assert remote.read_at(0, len(BYTES)) == BYTES
            assert remote.n_bytes_fetched == BLOCK
        server.vices.new_from, server.vices.modified = 0, DATE.replace("2026", "2025")
        with opened(server.address, cache_folder=tmp_path) as remote:
            assert remote.read_at(0, len(BYTES)) == OTHER


def test_another_query_is_another_file_in_the_folder(tmp_path):
    with serve(BYTES) as server:
        with opened(f"{server.address}?file=a", cache_folder=tmp_path) as remote:
            remote.read_at(0, len(BYTES))
        with opened(f"{server.address}?file=b", cache_folder=tmp_path) as remote:
            assert remote.n_bytes_fetched == BLOCK


def test_another_version_is_not_mixed_with_what_the_folder_holds(tmp_path):
    with serve(BYTES, new_content=OTHER) as server:
        with opened(server.address, cache_folder=tmp_path) as remote:
            remote.read_at(0, len(BYTES))
        server.vices.new_from = 0
        with opened(server.address, cache_folder=tmp_path) as remote:
            assert remote.read_at(0, len(BYTES)) == OTHER


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + b"?"])
def test_damaged_blocks_in_the_folder_are_fetched_again(tmp_path, damage):
    with serve(BYTES, etag=None, modified=DATE) as server:
        with opened(server.address, cache_folder=tmp_path) as remote:
            remote.read_at(0, len(BYTES))
        for path in tmp_path.rglob("*"):
            if path.is_file():
                path.write_bytes(damage(path.read_bytes()))
        with opened(server.address, cache_folder=tmp_path) as remote:
            assert remote.read_at(0, len(BYTES)) == BYTES
            assert remote.n_bytes_fetched == len(BYTES)


def test_of_a_server_without_versions_nothing_is_kept_on_disk(tmp_path):
    for etag in (None, 'W/"weak"'):
        with (
            serve(BYTES, etag=etag) as server,
            opened(server.address, cache_folder=tmp_path) as remote,
        ):
            remote.read_at(0, len(BYTES))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_warned_about_once(tmp_path):
    (tmp_path / "file").write_text("in the way")
    warned = pytest.warns(PopdynWarning, match="cannot keep parts.*reading goes on")
    with serve(BYTES) as server, warned as caught:
        assert read_all(server, cache_folder=tmp_path / "file")[2] == BYTES
    assert len(caught) == 1


def _read_in_pieces(address, folder, seed):
    with opened(address, cache_folder=folder) as remote:
        for place in np.random.default_rng(seed).integers(0, len(BYTES) - 999, 60):
            if remote.read_at(int(place), 999) != BYTES[place : place + 999]:
                return False
    return True


def test_two_processes_share_a_cache_folder(tmp_path):
    with serve(BYTES) as server:
        jobs = (joblib.delayed(_read_in_pieces)(server.address, tmp_path, k) for k in range(4))
        assert all(joblib.Parallel(n_jobs=2)(jobs))
    assert not list(tmp_path.rglob(".new-*"))


# ---------------------------------------------------------------- under h5py
def hdf5(write):
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        write(file)
    return memory.getvalue()


@pytest.fixture(scope="module")
def large():
    """50 MB as a converter lays them out: raw data, columns, more raw data."""
    rng = np.random.default_rng(0)

    def write(file):
        file["raw"] = rng.integers(0, 255, 26_000_000, dtype="u1")
        for name in ("start_time", "stop_time", "choice", "id"):
            column = rng.random(600)
            file.create_dataset(f"trials/{name}", data=column, chunks=(100,), compression="gzip")
        file.create_dataset("spike_times", data=rng.random(1_000_000), chunks=(8192,))
        file["more"] = rng.integers(0, 255, 16_000_000, dtype="u1")

    return hdf5(write)


def test_a_few_columns_cost_less_than_a_twentieth_of_the_file(large):
    assert len(large) > 49e6
    with serve(large) as server, open_remote(server.address) as remote:
        with h5py.File(remote, "r") as file, h5py.File(io.BytesIO(large), "r") as same:
            for name in ("start_time", "stop_time", "choice"):
                assert np.array_equal(file[f"trials/{name}"], same[f"trials/{name}"])
        assert server.n_bytes < 0.05 * len(large)
        assert len(server.requests) < 10


@pytest.mark.parametrize(("name", "n_bytes"), [("raw", 26_000_000), ("spike_times", 8_000_000)])
def test_a_long_column_takes_few_requests(large, name, n_bytes):
    with serve(large) as server, open_remote(server.address) as remote:
        with h5py.File(remote, "r") as file, h5py.File(io.BytesIO(large), "r") as same:
            assert np.array_equal(file[name], same[name])
        assert len(server.requests) < 16
        assert server.n_bytes < 2.2 * n_bytes


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
@pytest.mark.parametrize("vices", [{}, {"drop_after": 9000, "drop_every": 3, "redirect": 1}])
def test_a_shipped_recording_is_the_same_by_address(path, vices):
    def compare(name, here):
        there = file[name]
        assert dict(there.attrs).keys() == dict(here.attrs).keys()
        if isinstance(here, h5py.Dataset):
            assert here.dtype == there.dtype
            if h5py.check_ref_dtype(here.dtype) is None:
                assert np.array_equal(
                    np.asarray(here), np.asarray(there), equal_nan=here.dtype.kind == "f"
                )

    with (
        serve(path.read_bytes(), **vices) as server,
        opened(server.address) as remote,
        h5py.File(remote, "r") as file,
        h5py.File(path, "r") as same,
    ):
        same.visititems(compare)
        assert list(file["units/id"]) == list(same["units/id"])


def test_a_file_that_is_shorter_by_the_server_is_cut_off_for_hdf5(large):
    with serve(large, total=-1000) as server, opened(server.address) as remote:
        with pytest.raises(OSError, match="truncated file: eof"):
            h5py.File(remote, "r")
        assert remote.error is None


def test_the_error_comes_through_hdf5_and_stays_with_the_file(large):
    with (
        serve(large) as server,
        opened(server.address, n_retries=1) as remote,
        h5py.File(remote, "r") as file,
    ):
        start = file["trials/start_time"][:]
        assert remote.error is None
        server.vices.status = 410
        with pytest.raises(SourceError, match=r"status 410 \(Gone\)") as caught:
            file["raw"][:]
        assert str(remote.error) == str(caught.value)
        n_requests = remote.n_requests
        with pytest.raises(SourceError, match="status 410"):
            file["more"][:]
        assert remote.n_requests == n_requests
        assert np.array_equal(file["trials/start_time"][:], start)


def test_a_failure_under_hdf5_does_not_crash_python_at_its_end(tmp_path):
    words = (
        "import h5py, sys\n"
        "from popdyn.io.remote import open_remote\n"
        "from popdyn.errors import SourceError\n"
        "remote = open_remote(sys.argv[1], block_size=1024, n_retries=0)\n"
        "for k in range(3):\n"
        "    try:\n"
        "        with h5py.File(remote, 'r') as file:\n"
        "            file['values'][:]\n"
        "    except SourceError as error:\n"
        "        print(str(error)[-40:])\n"
    )
    content = hdf5(lambda file: file.create_dataset("values", data=np.arange(9000.0)))
    with serve(content, status=404, status_from=1) as server:
        done = subprocess.run(
            [sys.executable, "-c", words, server.address],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(__file__).parents[2],
        )
    assert done.stdout.count("no such file: check the address.") == 3
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def interrupts():
    """Interrupts as at a terminal: a process in the background ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_gets_through_at_once(large, interrupts):
    with serve(large, delay=30.0) as server:
        interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        interrupt.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            open_remote(server.address)
        assert time.monotonic() - began < 2.0


def test_an_interrupt_gets_through_hdf5_and_leaves_the_file_usable(large, interrupts):
    with (
        serve(large) as server,
        open_remote(server.address) as remote,
        h5py.File(remote, "r") as file,
    ):
        file["trials/id"][:]
        server.vices.bytes_per_second = 1e5
        interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        interrupt.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            file["raw"][:]
        assert time.monotonic() - began < 2.0
        server.vices.bytes_per_second = None
        assert file["raw"][:].nbytes == 26_000_000


# ---------------------------------------------------------------- addresses
def test_addresses_are_told_from_paths():
    for address in (
        "https://a.org/b.nwb",
        "HTTP://a/b",
        "s3://a/b",
        "dandi://a",
        Path("https://a/b"),
    ):
        assert is_address(address)
    for path in ("a.nwb", "C:\\a.nwb", "/a//b.nwb", Path("http/a.nwb"), 3, None):
        assert not is_address(path)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("dandi://000006/a.nwb", "https address of the asset"),
        ("s3://bucket/key.nwb?hush", r"https://BUCKET.s3.amazonaws.com/KEY"),
        ("gs://bucket/key.nwb", r"https://storage.googleapis.com/BUCKET/KEY"),
        ("file:///a.nwb", "Give the path of the file"),
        ("ftp://a/b.nwb", "Download the file and give its path"),
        ("https:///b.nwb", "names no host"),
        ("http://[::1/b.nwb?hush", "not written as one .Invalid IPv6 URL.: check it"),
        ("https://a:b/c.nwb", "not written as one .Port could not"),
        (Path("https://a/b.nwb"), "address as text, got PosixPath|WindowsPath"),
    ],
)
def test_other_addresses_are_refused_with_what_to_do(address, words):
    with pytest.raises(SourceError, match=words) as caught:
        open_remote(address)
    assert "hush" not in str(caught.value)


def test_settings_out_of_range_are_refused():
    for kwargs in ({"timeout": 0}, {"n_retries": -1}, {"block_size": 0}, {"cache_bytes": -1}):
        with pytest.raises(ValueError, match="expected timeout > 0"):
            open_remote("http://127.0.0.1/a.nwb", **kwargs)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr("popdyn.io.remote.find_spec", lambda _: None)
    with pytest.raises(
        SourceError, match=r"needs urllib3: python -m pip install 'popdyn\[remote\]'"
    ):
        open_remote(f"https://a.org/b.nwb?{SECRET}")
