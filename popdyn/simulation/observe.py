"""Make a network look like a recording: spikes of a few of its neurons, as a Session."""

from __future__ import annotations

from typing import overload

import xarray as xr

from popdyn.resample import Seed, as_generator
from popdyn.simulation.look import Look, drawn_spikes, own_spikes
from popdyn.simulation.poisson import rate_of
from popdyn.simulation.rate_map import RateMapLike
from popdyn.tensor.session import check_session, is_session


@overload
def observe(
    sim: xr.Dataset | xr.DataArray,
    n_neurons: int,
    *,
    rate_map: RateMapLike | None = ...,
    rng: Seed = ...,
    source_id: str | None = ...,
    n_sessions: None = ...,
    drift: float = ...,
    drift_time: float = ...,
    missing_trials: float = ...,
) -> xr.Dataset: ...


@overload
def observe(
    sim: xr.Dataset | xr.DataArray,
    n_neurons: int,
    *,
    rate_map: RateMapLike | None = ...,
    rng: Seed = ...,
    source_id: str | None = ...,
    n_sessions: int,
    drift: float = ...,
    drift_time: float = ...,
    missing_trials: float = ...,
) -> dict[str, xr.Dataset]: ...


def observe(
    sim: xr.Dataset | xr.DataArray,
    n_neurons: int,
    *,
    rate_map: RateMapLike | None = None,
    rng: Seed = 0,
    source_id: str | None = None,
    n_sessions: int | None = None,
    drift: float = 0.0,
    drift_time: float = 600.0,
    missing_trials: float = 0.0,
) -> xr.Dataset | dict[str, xr.Dataset]:
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
        Number of neurons to observe, in each session.
    rate_map : RateMap, mapping or callable, optional
        From dimensionless rates to Hz: a mapping with ``baseline`` (Hz), ``gain`` (Hz per unit
        rate) and optionally ``rectify``, or a function of an array (neuron, time, trial).  By
        default the range of the network's nonlinearity becomes 0 to 20 Hz: ``10 + 10 r`` for
        tanh, ``20 r`` for sigmoid, relu and softplus.  Rates in Hz are used as they are.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.
    source_id : str, optional
        Name of the source in comparisons; by default that of the simulation.
    n_sessions : int, optional
        Sessions recorded apart from one network: each has neurons of its own and a run of
        consecutive trials of its own, with the ids that they have in the network.
    drift : float
        Slow change of each neuron's rate: it is multiplied by ``exp(drift y - drift²/2)``, of
        mean 1, with ``y`` a stationary Ornstein-Uhlenbeck process of variance 1, one for each
        neuron, read at the start of each trial.  Small values are the standard deviation of the
        factor; 0 is none.  Spikes that are given can only be lost: each neuron keeps them with
        that factor divided by the factor's largest value in the session.
    drift_time : float
        Time in seconds after which the correlation of ``y`` has fallen to 1/e.
    missing_trials : float
        Share of the trials in which a neuron was not recorded, below 1: one stretch of
        consecutive trials for each neuron, anywhere in the session.

    Returns
    -------
    Session, or dict of Session
        Spike times in seconds on the session's clock; each neuron is observed during the
        simulated trials and at no other time.  Neuron ids are those of the network; the trial
        table with its events is carried over.  With `n_sessions` a dict by ``source_id``, which is
        numbered from 1.

    Raises
    ------
    TensorError
        If rates are NaN inside a trial or negative in Hz, `n_neurons` is not available, the
        rates are dimensionless and no map is known, or trials overlap on the session's clock.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> sim = pdn.simulate(net, pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt))
    >>> session = pdn.observe(sim, 20, rng=1)
    >>> counts = pdn.align(session, "stimulus_on_time", window=(0.0, 0.8), bin_width=0.1)
    >>> dict(counts.sizes)
    {'neuron': 20, 'time': 8, 'trial': 8}
    >>> {name: each.sizes["trial"] for name, each in pdn.observe(sim, 20, n_sessions=2).items()}
    {'network_1': 4, 'network_2': 4}
    """
    generator, seed = as_generator(rng)
    look = Look(n_neurons, n_sessions, rate_map, drift, drift_time, missing_trials)
    source = check_session(sim) if is_session(sim) else rate_of(sim)
    name = source_id or str(source.attrs.get("source_id", "network"))
    if isinstance(source, xr.Dataset):
        sessions = own_spikes(source, look, generator, seed, name)
    else:
        sessions = drawn_spikes(source, look, generator, seed, name)
    if n_sessions is None:
        return next(sessions)
    return {str(session.attrs["source_id"]): session for session in sessions}
