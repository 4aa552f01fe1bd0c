"""The page about the shipped recordings agrees with the files."""

import hashlib
import re

from tests.io.recordings import DATA, SHIPPED

PAGE = (DATA / "README.md").read_text()


def test_every_shipped_recording_has_its_checksum_origin_and_licence():
    listed = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", PAGE, re.MULTILINE))
    found = {name: digest for digest, name in listed.items()}
    actual = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SHIPPED}
    assert found == actual
    assert {path.name for path in DATA.glob("*.nwb")} == set(actual)
    assert "CC-BY-4.0" in PAGE
    for dandiset in ("000207", "000009", "000006"):
        assert f"dandiset/{dandiset}" in PAGE
    for doi in ("10.1038/s41593-022-01020-w", "10.1038/nature22324", "10.1038/s41586-018-0642-9"):
        assert doi in PAGE
