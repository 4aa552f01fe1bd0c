"""Run a network on trials: what a recording is for a brain, `simulate` is for a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import xarray as xr

from popdyn.network.kinds import Network
from popdyn.network.spiking import Spiking
from popdyn.resample import Seed
from popdyn.simulation.arguments import check_jobs, check_network
from popdyn.simulation.plan import Plan
from popdyn.simulation.rate_run import simulate_rate
from popdyn.simulation.spiking_simulate import simulate_spiking
from popdyn.simulation.steps import Method
from popdyn.tasks import Task

_BIN_WIDTH = 0.010


def simulate(
    net: Network,
    trials: xr.Dataset | None = None,
    duration: float | None = None,
    rng: Seed = 0,
    bin_width: float | None = None,
    record: Sequence[str] = ("rate",),
    *,
    noise_density: float = 0.0,
    noise_step: float = 0.0,
    input_noise_density: float = 0.0,
    input_noise_step: float = 0.0,
    initial_state: Any = None,
    task: Task | None = None,
    continuous: bool = False,
    around: tuple[float, float] = (0.0, 0.0),
    path: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    tile: int = 256,
    source_id: str = "network",
    dtype: str = "float64",
    method: Method = "euler",
    n_jobs: int | None = None,
) -> xr.Dataset:
    """Run a network on trials, or for some time without input.

    Every trial starts anew (see `initial_state`) unless `continuous`.  A rate network is stepped
    with ``net.dt`` (see `method`), a spiking one exactly between spikes, which happen at the
    ends of steps.  The input of a step acts during the step; the output that answers to it is
    that at the step's end.

    Parameters
    ----------
    net : Rate, LowRank or Spiking
        The network.
    trials : Dataset, optional
        From ``task.sample(n_trials, rng, dt=net.dt)``, or any Dataset with
        ``inputs (channel, step_time, trial)`` and ``attrs["dt"]``.
    duration : float, optional
        Instead of trials: seconds of one trial without input.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.  Each trial has its own stream of noise.
    bin_width : float, optional
        In seconds, a whole multiple of ``net.dt``; by default 0.010, or ``net.dt`` where that is
        longer.
    record : sequence of str
        Of a rate network any of ``"rate"``, ``"state"`` (``x``, which becomes the tensor
        ``potential``) and ``"current"`` (what the neurons hear of each other, ``J f(gain x)``), all
        in units of 1, or ``()`` for output and behavior alone, which are always kept
        (``"output"`` may be said).  Of a low-rank network also ``"latent"``: the coefficients of
        `m` in the least-squares fit of ``x`` by the columns of `m`, of the input weights and the
        bias.  Of a spiking network any of ``"rate"`` (spikes in the
        bin over its width, Hz), ``"spike_count"``, ``"potential"`` and ``"current"`` (means over
        the bin), or ``("spikes",)`` alone for a Session.
    noise_density : float
        Noise ``s`` of the stochastic equation ``tau dx = ... + tau s dW``: each step adds
        ``s sqrt(dt) N(0, 1)`` to each state, in units of the state per sqrt(second).  Does
        not depend on the step: a neuron by itself has the variance ``s² tau / 2``.
    noise_step : float
        The other convention: standard deviation of what is added to each state at each step,
        whatever the step's length.  Give one of the two.
    input_noise_density : float
        White noise ``s`` on each input channel, in units of the input times sqrt(second): each
        step adds ``s / sqrt(dt) N(0, 1)`` to the input.  Does not depend on the step: through an
        input weight ``b`` a rate neuron by itself has the variance ``b² s² / (2 tau)``.
    input_noise_step : float
        Standard deviation of what is added to each input at each step, whatever the step's
        length.  Give one of the two.
    initial_state : array, shape (neuron,) or (neuron, trial), optional
        State ``x`` (not rate) at the start, dimensionless.  By default 0 on trials and, as a
        network without input would stay there, N(0, 1) with `duration`.  Of a spiking network the
        potentials, by default uniform between reset and threshold, drawn for each trial; its
        synaptic currents start at 0.  With `continuous` that of the first trial, (neuron,).
    task : Task, optional
        Says what the output means; by default the task the trials were drawn from.
    continuous : bool
        Run through all trials in order of time without reset.  Between a trial's end and the
        start of the next the input is zero, while noise goes on.  Within a trial the noise is
        that of the run with reset.
    around : (float, float)
        With `continuous`: seconds that tensors keep before each trial's start and after its end,
        whole bins.  With it they can be aligned to windows that reach beyond a trial, as those of
        a recording.  A Session of spikes is continuous anyway.
    path : path-like, optional
        Stream tensors to this netCDF file (``.nc``), for runs that do not fit in memory, where
        only the trials and one tile are kept.  The file appears when it is complete; an interrupted
        run leaves ``<path>.partial``, from which the same call goes on, unless it is `continuous`:
        that starts anew.
    overwrite : bool
        Replace what is there already: the file, or what a run with other arguments left of it.
    tile : int
        Trials stepped together: bounds the memory.  Results are the same bits for the same
        tile; others differ by rounding, which a chaotic network amplifies.
    source_id : str
        Name of the network in comparisons.
    dtype : {"float64", "float32"}
        Precision of weights and states.
    method : {"euler", "exponential"}
        Steps of a rate network: ``x + dt/tau (-x + drive)``, or the exact solution for a drive
        that is held constant during the step, whose noise is exact as well.  A spiking network
        is exact anyway.
    n_jobs : int, optional
        Trials of a spiking network run at once, in threads (joblib); None is one, or what
        ``joblib.parallel_config`` says.  Results are the same bits.

    Returns
    -------
    xarray.Dataset
        ``rate (neuron, time, trial)``, a tensor in units of 1: the mean over each bin (of the
        straight lines between steps), NaN after a trial's end; ``output (output, time,
        trial)`` averaged likewise.  ``time`` holds bin centers in seconds relative to
        ``start_time``.  All columns of the trials, and what the task makes of the output, such as
        ``response``, ``choice``, ``correct``, ``produced_interval``.  With ``record=("spikes",)``
        a Session, whose spike times are the middles of the steps at whose ends they happened;
        observed during trials, or with `continuous` from the first start to the last end.  With
        `path` tensors are read from the file when they are used.

    Raises
    ------
    TensorError
        If trials and network do not fit (step, number of inputs), `bin_width` is no whole
        multiple of the step, something asked for cannot be recorded, an argument is no number
        where one is expected, or what is kept does not fit in memory.
    FitError
        If rates or potentials grow beyond all bounds, or all neurons of a connected spiking
        network spike as often as their refractory time allows.
    SourceError
        If `path` cannot be written to, or there is a file already.

    Warns
    -----
    PopdynWarning
        If `duration` or `around` is so long that milliseconds may have been meant.

    See Also
    --------
    popdyn.observe : spikes of a part of the neurons, as a recording would have them.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt)
    >>> sim = pdn.simulate(net, trials, noise_density=0.1)
    >>> dict(sim["rate"].sizes)
    {'neuron': 50, 'time': 102, 'trial': 8}
    """
    check_network(net)
    check_jobs(n_jobs)
    plan = Plan.of(
        net,
        trials,
        duration,
        rng,
        max(_BIN_WIDTH, net.dt) if bin_width is None else bin_width,
        record,
        noise=(noise_density, noise_step),
        input_noise=(input_noise_density, input_noise_step),
        initial_state=initial_state,
        task=task,
        continuous=continuous,
        around=around,
        path=path,
        overwrite=overwrite,
        tile=tile,
        source_id=source_id,
        dtype=dtype,
        method=method,
    )
    if isinstance(net, Spiking):
        return simulate_spiking(net, plan, n_jobs)
    return simulate_rate(net, plan)
