"""Valid files, damaged at random: no traceback, no hang, no wrong number."""

import csv
from pathlib import Path

import pytest

from tests.io.corruptions import KINDS, damage
from tests.io.damaged_reading import FAILED, DamagedReader
from tests.io.damaged_sources import TABLES, source

RESULTS = Path(__file__).parent / "results" / "corruptions.csv"
_FIELDS = ("seed", "file", "kind", "damage", "outcome", "noticed", "words", "seconds")
N_DAMAGES = 2000
ALWAYS_HERE = ("plain", "compressed", "newest", "checked", "one neuron", "alm")
FILES = [list(TABLES).index(name) for name in ALWAYS_HERE]


class Campaign:
    """Damages by seed, each read once; files are made when first asked for."""

    def __init__(self, folder, reader):
        self._folder = folder
        self._reader = reader
        self._sound = {}

    def sound(self, name):
        """What reading a file gives before it is damaged."""
        if name not in self._sound:
            self._sound[name] = self._reader.read(source(name, self._folder), TABLES[name])
        return self._sound[name]

    def row(self, seed):
        """One row of the table; None where the file to damage is not here."""
        name, kind = chosen(seed)
        path = source(name, self._folder)
        if path is None:
            return None
        sound = self.sound(name)
        target = self._folder / "damaged.nwb"
        words = damage(path, target, kind, seed)
        found = self._reader.outcome(target, TABLES[name], sound)
        return {
            "seed": seed, "file": name, "kind": kind, "damage": words, "outcome": found.outcome,
            "noticed": "yes" if found.noticed else "no",
            "words": " ".join(found.line.split()[:16])[:160], "seconds": f"{found.seconds:.3f}",
            "line": found.line,
        }  # fmt: skip


def chosen(seed):
    """File and kind of damage of a seed: every pair comes up equally often."""
    names = list(TABLES)
    return names[seed % len(names)], KINDS[(seed // len(names)) % len(KINDS)]


def failures(rows):
    bad = [row for row in rows if row["outcome"] in FAILED]
    return "\n".join(
        f"{r['seed']} {r['file']}, {r['damage']}: {r['outcome']}: {r.get('line', r['words'])}"
        for r in bad
    )


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    with DamagedReader() as reader:
        yield Campaign(tmp_path_factory.mktemp("damaged"), reader)


def test_every_kind_of_damage_is_read_right_or_refused_in_a_line(campaign):
    # Every kind once, over files of every layout; two thousand are read where time is no matter.
    seeds = [len(TABLES) * k + FILES[k % len(FILES)] for k in range(len(KINDS))]
    rows = [campaign.row(seed) for seed in seeds]
    assert {row["kind"] for row in rows} == set(KINDS)
    assert {row["file"] for row in rows} == set(ALWAYS_HERE)
    assert len({row["outcome"] for row in rows}) >= 3
    assert failures(rows) == ""


@pytest.mark.parametrize("name", ALWAYS_HERE)
def test_a_sound_file_agrees_with_the_plain_reading(campaign, name):
    kinds = {what for what, _ in campaign.sound(name)["wrong"]}
    assert kinds <= {"outcome_elements"}


def test_the_same_seed_does_the_same_damage(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    for kind in KINDS:
        words = [damage(source("plain", d), d / "x.nwb", kind, 5) for d in (first, second)]
        assert words[0] == words[1]
        assert (first / "x.nwb").read_bytes() == (second / "x.nwb").read_bytes()


@pytest.mark.slow
def test_two_thousand_damages_are_read_right_or_refused_in_a_line(tmp_path):
    RESULTS.parent.mkdir(exist_ok=True)
    partial = RESULTS.with_suffix(".partial.csv")
    done = {}
    if partial.is_file():
        with partial.open(newline="") as stream:
            done = {int(row["seed"]): row for row in csv.DictReader(stream)}
    with DamagedReader() as reader, partial.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, _FIELDS, extrasaction="ignore", lineterminator="\n")
        if not done:
            writer.writeheader()
        campaign = Campaign(tmp_path, reader)
        for seed in range(N_DAMAGES):
            row = campaign.row(seed) if seed not in done else None
            if row is not None:
                writer.writerow(row)
                stream.flush()
                done[seed] = row
    assert failures(done.values()) == ""
    partial.replace(RESULTS)
