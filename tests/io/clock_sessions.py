"""Simulated sessions whose clocks are right, and the same ones with a clock gone wrong.

A maker takes a random generator and gives a `Simulated` session; `SOUND` and `WRONG` list the
makers by kind.  Nothing is written to a file: `as_tables` gives what a reader would have read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from popdyn.io.neurons import Neurons
from popdyn.io.tables import Column, Table

REFRACTORY = 0.002
HOUR, MINUTE = 3600.0, 60.0
MS = 1e3


@dataclass(frozen=True, eq=False)
class Simulated:
    """Spike times of each neuron, and start and stop of trials (one row each), in s."""

    trains: list[np.ndarray]
    trials: np.ndarray | None = None


Maker = Callable[[np.random.Generator], Simulated]


def seeded(kind: str, number: int) -> np.random.Generator:
    """A generator that depends on the kind and the number of a session only."""
    return np.random.default_rng([number, *kind.encode()])


def as_tables(session: Simulated) -> tuple[Neurons, Table | None]:
    """What the reader holds after it read such a session from a file without obs_intervals."""
    offsets = np.cumsum([0, *(train.size for train in session.trains)])
    rows = Table("neurons", np.arange(len(session.trains)), ())
    neurons = Neurons(rows, np.concatenate(session.trains), offsets, None, 0)
    if session.trials is None:
        return neurons, None
    columns = tuple(
        Column(name, "float64", values)
        for name, values in zip(("start_time", "stop_time"), session.trials.T, strict=True)
    )
    return neurons, Table("trials", np.arange(len(session.trials)), columns)


# Spike trains


def poisson(rng, rate, start, stop, refractory=REFRACTORY):
    """Poisson apart from a refractory time."""
    n_most = rate * (stop - start)
    gaps = rng.exponential(1 / rate - refractory, int(n_most + 6 * np.sqrt(n_most) + 20))
    times = start + np.cumsum(gaps + refractory)
    return times[times < stop]


def drifting(rng, rate, start, stop):
    """A rate that is another one every minute: time runs faster where the rate is high."""
    minutes = np.append(np.arange(start, stop, MINUTE), stop)
    weight = np.diff(minutes) * rng.lognormal(-0.5, 1.0, minutes.size - 1)
    passed = np.append(0.0, np.cumsum(weight))
    return np.interp(poisson(rng, rate, 0.0, passed[-1]), passed, minutes)


def bursting(rng, rate, start, stop):
    """Bursts of four spikes 5 ms apart."""
    onset = poisson(rng, rate / 4, start, stop)
    return np.sort((onset[:, None] + 0.005 * np.arange(4)).ravel())


def place_cell(rng, start, stop):
    """A few runs of a second through the field of a neuron that is silent elsewhere."""
    often = rng.choice([0.05, 0.2, 1.0])
    enter = np.sort(rng.uniform(start, stop - 1, rng.poisson(often * (stop - start) / 120)))
    runs = [poisson(rng, 15.0, moment, moment + 1) for moment in enter]
    return np.sort(np.concatenate([np.zeros(0), *runs]))


def cortical_rates(rng, n_neurons):
    return rng.lognormal(np.log(3.0), 1.0, n_neurons).clip(0.05, 60.0)


def trials_between(rng, start, stop, pause=2.0, spread=0.2):
    """Start and stop of trials of about 4 s with random pauses between them."""
    n_most = int(5 * (stop - start) / (4 + pause)) + 50
    length = 4 * rng.lognormal(0.0, spread, n_most)
    begin = start + 2 + np.append(0.0, np.cumsum(length + rng.exponential(pause, n_most))[:-1])
    inside = begin < stop - 10
    return np.stack([begin, begin + length], axis=1)[inside]


# Sound sessions


def length_of(rng):
    return rng.uniform(15 * MINUTE, 66 * MINUTE)


def n_neurons_of(rng, fewest=3):
    return int(rng.integers(fewest, 40))


def cortex(rng, train=poisson, start=0.0, **trial_options):
    """A cortical session of about an hour; ``train`` makes a neuron's spikes."""
    stop = start + length_of(rng)
    rates = cortical_rates(rng, n_neurons_of(rng))
    trains = [train(rng, rate, start, stop) for rate in rates]
    return Simulated(trains, trials_between(rng, start, stop, **trial_options))


def quiet(rng, lowest=0.02, highest=0.1, refractory=REFRACTORY):
    """At least twenty neurons that hardly fire."""
    stop = length_of(rng)
    rates = rng.uniform(lowest, highest, n_neurons_of(rng, fewest=20))
    trains = [poisson(rng, rate, 0.0, stop, refractory) for rate in rates]
    return Simulated(trains, trials_between(rng, 0.0, stop))


def few_spikes(rng):
    stop = length_of(rng)
    sizes = rng.integers(1, 50, size=rng.integers(1, 4))
    trains = [np.sort(rng.uniform(0.0, stop, size)) for size in sizes]
    return Simulated(trains, trials_between(rng, 0.0, stop))


def interneurons(rng):
    stop = length_of(rng) / 4
    rates = rng.uniform(40.0, 120.0, rng.integers(3, 9))
    trains = [poisson(rng, rate, 0.0, stop) for rate in rates]
    return Simulated(trains, trials_between(rng, 0.0, stop))


def sleep_around(rng):
    """A task of 15 minutes between two sleeps of two hours."""
    begin, stop = 2 * HOUR, 4 * HOUR + 15 * MINUTE
    rates = cortical_rates(rng, rng.integers(3, 13))
    trains = [drifting(rng, rate, 0.0, stop) for rate in rates]
    return Simulated(trains, trials_between(rng, begin, begin + 15 * MINUTE))


def long_sleep(rng):
    """A minute of trials in four hours."""
    rates = rng.uniform(0.05, 2.0, rng.integers(3, 11))
    trains = [drifting(rng, rate, 0.0, 4 * HOUR) for rate in rates]
    return Simulated(trains, trials_between(rng, 0.0, MINUTE + 2, pause=0.5))


def merged(rng, rate, start, stop):
    """Three clusters taken for one neuron, in the order of time."""
    parts = [poisson(rng, each, start, stop) for each in (rate, rate, 10.0)]
    return np.sort(np.concatenate(parts))


def merged_unsorted(rng, rate, start, stop):
    """In six of ten neurons the spikes of one cluster follow after those of another."""
    n_clusters = 2 if rng.random() < 0.6 else 1
    return np.concatenate([poisson(rng, rate, start, stop) for _ in range(n_clusters)])


def bursts_and_drift(rng, rate, start, stop):
    both = [train(rng, rate / 2, start, stop) for train in (bursting, drifting)]
    return np.sort(np.concatenate(both))


def hippocampus(rng, n_interneurons=2):
    """Place cells without trials."""
    stop = length_of(rng)
    trains = [place_cell(rng, 0.0, stop) for _ in range(n_neurons_of(rng, fewest=20))]
    trains += [poisson(rng, 20.0, 0.0, stop) for _ in range(n_interneurons)]
    return Simulated(trains)


SOUND: dict[str, Maker] = {
    "cortex": cortex,
    "0.02-0.1 Hz Poisson": quiet,
    "few spikes": few_spikes,
    "interneurons 40-120 Hz": interneurons,
    "long inter-trial intervals": lambda rng: cortex(rng, pause=90.0),
    "irregular trials": lambda rng: cortex(rng, spread=1.0),
    "sleep before and after": sleep_around,
    "1 min of trials in 4 h": long_sleep,
    "merged clusters, sorted": lambda rng: cortex(rng, merged),
    "merged clusters, unsorted": lambda rng: cortex(rng, merged_unsorted),
    "bursting": lambda rng: cortex(rng, bursts_and_drift),
    "seconds since midnight": lambda rng: cortex(rng, start=40_000.0),
    "place cells and interneurons": hippocampus,
    "place cells alone": lambda rng: hippocampus(rng, n_interneurons=0),
    "calcium-like events": lambda rng: quiet(rng, 0.01, 0.05, refractory=0.5),
}


# What goes wrong with a clock


def spikes_in_ms(session):
    return replace(session, trains=[MS * train for train in session.trains])


def trials_in_ms(session):
    return replace(session, trials=MS * session.trials)


def all_in_ms(session):
    return trials_in_ms(spikes_in_ms(session))


def from_trial_start(session):
    """Spikes count from the start of their trial; those between trials are lost."""

    def cut(train):
        inside = [slice(*edge) for edge in np.searchsorted(train, session.trials)]
        begin = session.trials[:, 0]
        return np.concatenate([train[s] - t for s, t in zip(inside, begin, strict=True)])

    return replace(session, trains=[cut(train) for train in session.trains])


def trials_moved(session, share):
    """Trials start later by this share of the session."""
    stop = max(train.max() for train in session.trains)
    return replace(session, trials=session.trials + share * stop)


def restarted(rng, share, stop=2000.0):
    """A clock that goes back to zero after this share of a cortical session."""
    parts = (share * stop, (1 - share) * stop)
    rates = cortical_rates(rng, rng.integers(3, 30))
    trains = [np.concatenate([poisson(rng, rate, 0.0, part) for part in parts]) for rate in rates]
    return Simulated(trains, np.concatenate([trials_between(rng, 0.0, part) for part in parts]))


def spoiled(change, kind, *options) -> Maker:
    return lambda rng: change(SOUND[kind](rng), *options)


def restarting(share) -> Maker:
    return lambda rng: restarted(rng, share)


_SPIKES_IN_MS = "units={'spike_times': 'ms'}"
_TRIALS_IN_MS = "units={'trials': 'ms'}"
_TRIAL_CLOCK = "clocks={'spike_times': 'trial'}"
_RESTART, _SHIFT = "restart_offset=", "shift={'trials'"
# Kind: its maker, and the argument that a line must name to mend it.
WRONG: dict[str, tuple[Maker, str]] = {
    "spikes in ms": (spoiled(spikes_in_ms, "cortex"), _SPIKES_IN_MS),
    "spikes in ms, interneurons": (
        spoiled(spikes_in_ms, "interneurons 40-120 Hz"),
        _SPIKES_IN_MS,
    ),
    "spikes in ms, sleep": (spoiled(spikes_in_ms, "sleep before and after"), _SPIKES_IN_MS),
    "trials in ms": (spoiled(trials_in_ms, "cortex"), _TRIALS_IN_MS),
    "trials in ms, long intervals": (
        spoiled(trials_in_ms, "long inter-trial intervals"),
        _TRIALS_IN_MS,
    ),
    "trials in ms, 1 min in 4 h": (
        spoiled(trials_in_ms, "1 min of trials in 4 h"),
        _TRIALS_IN_MS,
    ),
    "all in ms": (spoiled(all_in_ms, "cortex"), _SPIKES_IN_MS),
    "all in ms, merged": (spoiled(all_in_ms, "merged clusters, sorted"), _SPIKES_IN_MS),
    "all in ms, bursting": (spoiled(all_in_ms, "bursting"), _SPIKES_IN_MS),
    "all in ms, interneurons": (
        spoiled(all_in_ms, "interneurons 40-120 Hz"),
        _SPIKES_IN_MS,
    ),
    "from trial start": (spoiled(from_trial_start, "cortex"), _TRIAL_CLOCK),
    "from trial start, irregular": (
        spoiled(from_trial_start, "irregular trials"),
        _TRIAL_CLOCK,
    ),
    "from trial start, 0.02-0.1 Hz": (
        spoiled(from_trial_start, "0.02-0.1 Hz Poisson"),
        _TRIAL_CLOCK,
    ),
    **{f"restart at {share:.0%}": (restarting(share), _RESTART) for share in (0.1, 0.2, 0.5, 0.9)},
    "trials moved by a session": (spoiled(trials_moved, "cortex", 1.0), _SHIFT),
    "trials moved by half a session": (spoiled(trials_moved, "cortex", 0.5), _SHIFT),
}
