"""Make a network look like a recording: spikes of a few of its neurons, as Sessions."""

from __future__ import annotations

from collections.abc import Iterator

import xarray as xr

from popdyn.resample import Seed, as_generator
from popdyn.simulation.look import Look, check_count, drawn_spikes, own_spikes
from popdyn.simulation.poisson import rate_of
from popdyn.simulation.rate_map import RateMapLike
from popdyn.tensor.session import check_session, is_session


def observe(
    sim: xr.Dataset | xr.DataArray,
    n_neurons: int,
    *,
    rate_map: RateMapLike | None = None,
    rng: Seed = 0,
    source_id: str | None = None,
    drift: float = 0.0,
    drift_time: float = 600.0,
    missing_trials: float = 0.0,
) -> xr.Dataset:
    """Look at some neurons of a simulated network as an experiment would.

    Neurons are chosen at random.  From rates their spikes are drawn: rates are constant within a
    bin, so the spikes are exact draws of an inhomogeneous Poisson process, a Poisson number per
    bin, at independent uniform times in it.  A spiking network's own spikes are taken as they
    are.  What a neuron spikes does not depend on which others are chosen.

    Parameters
    ----------
    sim : Dataset, tensor or Session
        From `popdyn.simulate`, or a tensor ``rate (neuron, time, trial)`` in 1 or in Hz.  NaN
        is taken only after a trial's end.  Or a Session, from ``record=("spikes",)``.
    n_neurons : int
        Number of neurons to observe.
    rate_map : RateMap, mapping or callable, optional
        From dimensionless rates to Hz: a mapping with ``baseline`` (Hz), ``gain`` (Hz per unit
        rate) and optionally ``rectify``, or a function of an array (neuron, time, trial).  By
        default the range of the network's nonlinearity becomes 0 to 20 Hz: ``10 + 10 r`` for
        tanh, ``20 r`` for sigmoid, relu and softplus.  Rates in Hz are used as they are.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.
    source_id : str, optional
        Name of the source in comparisons; by default that of the simulation.
    drift : float
        Slow change of each neuron's rate: it is multiplied by ``exp(drift y - drift²/2)``, of
        mean 1, with ``y`` a stationary Ornstein-Uhlenbeck process of variance 1, one for each
        neuron, read at the start of each trial.  Small values are the standard deviation of the
        factor; 0 is none, and 3, the largest, lets most neurons fall silent for most of the time.
        Spikes that are given can only be lost: each neuron keeps them with that factor divided
        by the factor's largest value in the session.
    drift_time : float
        Time in seconds after which the correlation of ``y`` has fallen to 1/e.
    missing_trials : float
        Share of the trials in which a neuron was not recorded, below 1: one stretch of
        consecutive trials for each neuron, anywhere in the session.

    Returns
    -------
    Session
        Spike times in seconds on the session's clock; each neuron is observed during the
        simulated trials and at no other time.  Neuron ids are those of the network; the trial
        table with its events is carried over.

    Raises
    ------
    TensorError
        If rates are NaN inside a trial, negative in Hz or above 10 kHz, `n_neurons` is not
        available, the rates are dimensionless and no map is known, or trials overlap on the
        session's clock.

    Warns
    -----
    PopdynWarning
        When rates are those of a spiking network, whose own spikes are at hand.

    See Also
    --------
    popdyn.observe_sessions : several sessions of one network, recorded apart.
    popdyn.write_nwb : the session as a file.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> sim = pdn.simulate(net, pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt))
    >>> session = pdn.observe(sim, 20, rng=1)
    >>> counts = pdn.align(session, "stimulus_on_time", window=(0.0, 0.8), bin_width=0.1)
    >>> dict(counts.sizes)
    {'neuron': 20, 'time': 8, 'trial': 8}
    """
    look = Look(n_neurons, None, rate_map, drift, drift_time, missing_trials)
    return next(_sessions(sim, look, rng, source_id))


def observe_sessions(
    sim: xr.Dataset | xr.DataArray,
    n_sessions: int,
    n_neurons: int,
    *,
    rate_map: RateMapLike | None = None,
    rng: Seed = 0,
    source_id: str | None = None,
    drift: float = 0.0,
    drift_time: float = 600.0,
    missing_trials: float = 0.0,
) -> dict[str, xr.Dataset]:
    """Look at a simulated network on several days: sessions that were recorded apart.

    Each session has neurons of its own, which no other session has, and a run of consecutive
    trials of its own, with the ids that they have in the network.  All else is as in `observe`.

    Parameters
    ----------
    sim : Dataset, tensor or Session
        As in `observe`.
    n_sessions : int
        Number of sessions.
    n_neurons : int
        Number of neurons in each of them.
    rate_map : RateMap, mapping or callable, optional
        From dimensionless rates to Hz, as in `observe`.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.
    source_id : str, optional
        What the names of the sessions begin with; by default the name of the simulation.
    drift, drift_time, missing_trials : float
        What recordings lose, as in `observe`.

    Returns
    -------
    dict of str to Session
        By ``source_id``, which is numbered from 1 in the order of time.

    Raises
    ------
    TensorError
        If there are not enough neurons or trials, and as in `observe`.

    See Also
    --------
    popdyn.pseudopopulation : neurons recorded apart as one population.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> sim = pdn.simulate(net, pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt))
    >>> days = pdn.observe_sessions(sim, 2, 20, rng=1)
    >>> {name: (day.sizes["neuron"], day.sizes["trial"]) for name, day in days.items()}
    {'network_1': (20, 4), 'network_2': (20, 4)}
    """
    check_count("n_sessions", n_sessions)
    look = Look(n_neurons, n_sessions, rate_map, drift, drift_time, missing_trials)
    return {
        str(session.attrs["source_id"]): session for session in _sessions(sim, look, rng, source_id)
    }


def _sessions(
    sim: xr.Dataset | xr.DataArray, look: Look, rng: Seed, source_id: str | None
) -> Iterator[xr.Dataset]:
    """Look at a network, session after session."""
    generator, seed = as_generator(rng)
    source = check_session(sim) if is_session(sim) else rate_of(sim)
    name = source_id or str(source.attrs.get("source_id", "network"))
    if isinstance(source, xr.Dataset):
        return own_spikes(source, look, generator, seed, name)
    return drawn_spikes(source, look, generator, seed, name)
