"""Which low-rank network does what was recorded: its latents, its rank, and what of it is known.

A network ``tau dx/dt = -x + m nᵀ f(x) / N + B u`` is fitted to the activity of its neurons, given
its inputs (LINT: Valente, Pillow & Ostojic 2022).  Held-out conditions say how good it is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.dynamics.fit_lowrank_data import check_rank, doubt_range, read_recording
from popdyn.dynamics.fit_lowrank_jobs import EVERYTHING, FULL, Fits, Job
from popdyn.dynamics.fit_lowrank_model import make_model
from popdyn.dynamics.fit_lowrank_options import Options, read_options
from popdyn.dynamics.fit_lowrank_result import Found, make_fit
from popdyn.dynamics.fit_lowrank_scores import (
    Score,
    average_prediction,
    chosen,
    pca_prediction,
    score,
)
from popdyn.errors import FitError
from popdyn.resample import as_generator
from popdyn.tensor.result import digest


def fit_lowrank(
    tensor: xr.DataArray | xr.Dataset,
    inputs: xr.DataArray | xr.Dataset,
    n_ranks: int | Sequence[int],
    *,
    observation: str | None = None,
    n_neurons: int | None = None,
    nonlinearity: str = "tanh",
    tau: float = 0.1,
    dt: float | None = None,
    mask: Any = None,
    lag: float | Sequence[float] = 0.0,
    learn: Sequence[str] | None = None,
    initial: Any = None,
    ceiling: bool = True,
    n_folds: int = 5,
    n_starts: int = 2,
    n_iterations: int = 300,
    n_draws: int = 1000,
    checkpoint: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    rng: int | np.random.Generator = 0,
) -> xr.Dataset:
    """Fit low-rank networks to activity, choose the rank, and say how well it predicts.

    The network ``tau dx/dt = -x + m @ (n.T @ r) / N + input @ u + bias``, ``r = f(x)``, is shown
    the inputs ``u`` and its loadings are fitted so that its neurons do what was recorded.  Each
    rank is fitted with one fold of conditions after the other held out, and predicts them from
    their inputs alone.  The smallest rank that is as good as the best is then fitted to
    everything, from several starts, whose weights are compared: **the recurrent weights are not
    determined by activity**, what they do to the activity that is visited is.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial), or condition average
        Single trials, the Dataset of `condition_average`, or a bare DataArray ``(neuron, time,
        condition)``.  NaN was not observed.  A bin is the mean over it.
    inputs : DataArray (channel, time, trial) or (channel, time, condition), or Dataset
        What the neurons hear, on the times of the activity, or from earlier on the same grid: the
        network then runs before the activity counts.  Or the trials of a task, whose steps start
        with the trials.  Trials or conditions with the same inputs are one condition, and held out
        together.
    n_ranks : int or sequence of int
        Ranks to fit.
    observation : {"rate", "state", "poisson"}, optional
        What is seen of a neuron: its rate ``f(x)``, its state ``x`` (of centered data, as LINT),
        or a count with a mean of ``log(1 + exp(.))`` of its rate.  By default ``"poisson"`` for
        counts of single trials, else ``"rate"``.
    n_neurons : int, optional
        Neurons of the network, if it has more than were recorded: 100, say, where few were.
    nonlinearity : str
        From state to rate, as in `popdyn.network.LowRank`.
    tau : float
        Time constant of the neurons, in seconds.
    dt : float, optional
        Step in seconds, the bin width or a whole part of it; by default at most ``tau / 5``.
    mask : array of bool (time,) or DataArray, optional
        True where activity counts; a DataArray has any dims of the activity.
    lag : float or sequence of float
        Seconds from an input to its effect, one or one for each channel: whole steps.  The network
        that comes out does not delay its inputs itself.
    learn : sequence of {"bias", "initial", "scale", "offset"}, optional
        What is learned beside `m`, `n` and `input`: a constant input to each neuron, the state
        before the first step, and from rate or state to the unit of the activity.  By default
        nothing for activity in units of 1, which is compared as it is, and all of it for Hz and
        counts.
    initial : array (neuron,), optional
        State before the first step, where it is known.
    ceiling : bool
        Whether full recurrent weights are fitted too, at a cost that grows with the square of the
        number of neurons.
    n_folds : int
        Parts of the conditions, each held out once.
    n_starts : int
        Random starts of each fit; the one that fits best is kept.
    n_iterations : int
        Most steps of a fit (L-BFGS).
    n_draws : int
        Bootstrap draws of neurons and conditions behind the intervals.
    checkpoint : path, optional
        File (``.npz``) that keeps each fit as it ends: the same call goes on from it to the same
        bits, and one of other ranks or more starts uses what is there.
    n_jobs : int, optional
        Fits at once, in threads (joblib); None is one, or what ``joblib.parallel_config`` says.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    xarray.Dataset
        ``popdyn.network.LowRank.from_dataset(result)`` is the network.  ``r2 (n_ranks)`` with
        ``r2_bound``: part of the variance of held-out conditions that is predicted, ``1 - sum(y -
        ŷ)² / sum(y - ȳ)²`` over all entries, of counts the part of the deviance; ``neuron_r2
        (n_ranks, neuron)`` the same of each neuron about its own mean, with ``neuron_r2_bound``
        over conditions.  Beside it
        ``pca_r2 (n_ranks)`` (held-out activity projected on as many components of the rest:
        these see the activity, the network sees inputs), ``average_r2`` (the average over the
        other conditions), ``shuffled_r2`` (networks of the largest rank fitted with inputs
        exchanged between conditions, if two or more remain; one start) and ``ceiling_r2`` (full
        weights, one start).  ``chosen_rank``, and of
        it ``m``, ``n (neuron, latent)``, ``input (neuron, channel)``, ``bias``, ``initial``,
        ``scale``, ``offset (neuron)``; ``observed``, ``predicted`` (fitted to everything) and
        ``held_out (neuron, time, trial or condition)``; ``loss (start, iteration)``,
        ``start_r2 (start)``; and over pairs of starts ``raw_correlation`` (of the recurrent
        weights), ``effective_correlation`` (of these times the ``n_visited`` directions that hold
        99 % of the activity) and ``loading_cosine`` (of the largest angle between the spans of
        ``m``).  ``attrs["note"]`` says it in words.

    Raises
    ------
    TensorError
        If an argument is not what it should be, or activity, inputs and mask do not fit together.
    FitError
        If nothing was observed, inputs do not vary, conditions are too few to hold any out, or a
        rank is above the dimensions of the activity.
    SourceError
        If the checkpoint is of another fit, or damaged.

    Warns
    -----
    PopdynWarning
        If a fit diverged (the best weights it had are kept) or predicts no better than the mean,
        the average of other conditions or networks with inputs exchanged, neurons have no data, or
        activity is no rate of the network; and of seconds that look like milliseconds.

    See Also
    --------
    popdyn.network.LowRank : the network.
    popdyn.dynamics.reduce : the mechanism of the network.

    Notes
    -----
    The smallest rank is as good as the best if its error on held-out conditions is larger by no
    more than twice the standard error of the difference over conditions, or by .001 of what the
    best explains.
    Recorded neurons that are no part of the low-rank dynamics are fitted by their inputs.  Counts
    are fitted with a prior: values that are learned are normal around their start, deviation 1;
    ``loss`` holds it.

    References
    ----------
    Valente, Pillow & Ostojic (2022), Extracting computational mechanisms from neural data using
    low-rank RNNs, NeurIPS 35.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(20, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(8, 0, dt=net.dt)
    >>> sim = pdn.simulate(net, trials, bin_width=net.dt)
    >>> fit = pdn.dynamics.fit_lowrank(
    ...     sim["rate"], trials, 1, n_folds=2, n_starts=1, n_iterations=40, ceiling=False
    ... )
    >>> float(fit["r2"][0]) > 0.95
    True
    >>> pdn.network.LowRank.from_dataset(fit).n_ranks
    1
    """
    options = read_options(
        tensor, n_ranks, observation=observation, nonlinearity=nonlinearity, tau=tau, dt=dt,
        learn=learn, initial=initial, n_neurons=n_neurons, n_folds=n_folds, n_starts=n_starts,
        n_iterations=n_iterations, n_draws=n_draws,
    )  # fmt: skip
    recording = read_recording(tensor, inputs, mask=mask, lag=lag, tau=options.tau, dt=options.dt)
    check_rank(recording, options.ranks[-1])
    if options.observation == "rate" and "scale" not in options.learned:
        doubt_range(recording, options.nonlinearity)
    generator, seed = as_generator(rng)
    entropy = int(generator.integers(2**62))
    fold = _folds(recording.condition, options.n_folds, entropy)
    model = make_model(
        recording, options.observation, n_neurons=options.n_neurons, tau=options.tau,
        nonlinearity=options.nonlinearity, learned=options.learned, initial=options.initial,
    )  # fmt: skip
    told = options.words() | {"ceiling": bool(ceiling), "lag": lag, "inputs": digest(inputs)}
    told["mask"] = None if mask is None else digest(xr.DataArray(mask))
    # Parts of the file: other ranks or more starts go on from it.
    more = ("ranks", "n_starts", "n_draws", "ceiling")
    kept = {name: value for name, value in told.items() if name not in more}
    fits = Fits(
        model, recording, fold, entropy=entropy, n_iterations=options.n_iterations,
        n_jobs=n_jobs, checkpoint=checkpoint,
        run={"method": "fit_lowrank", **kept, "tensor": digest(tensor), "seed": seed},
    )  # fmt: skip
    found = _validated(fits, options, bool(ceiling))
    jobs = [Job(found.n_ranks, EVERYTHING, start) for start in range(options.n_starts)]
    found.fits = fits.run(jobs, f"fitting rank {found.n_ranks} to all conditions")
    return make_fit(found, model, recording, options, told, seed, entropy)


def _folds(condition: Any, n_folds: int, entropy: int) -> Any:
    """Return the fold of each item: conditions are dealt out in random order.

    Raises
    ------
    FitError
        If there are fewer conditions than folds.
    """
    n_conditions = int(condition.max()) + 1
    if not 2 <= n_folds <= n_conditions:
        message = (
            f"n_folds={n_folds} would hold out all conditions, or none: there are {n_conditions} "
            f"with inputs of their own, so give 2 to {n_conditions}"
        )
        raise FitError(message)
    order = np.random.default_rng([entropy, 1]).permutation(n_conditions)
    number = np.empty(n_conditions, dtype=np.intp)
    number[order] = np.arange(n_conditions) % n_folds
    return number[condition]


def _validated(fits: Fits, options: Options, ceiling: bool) -> Found:
    """Fit with each fold held out; score ranks, and what they stand beside."""
    recording, poisson = fits.recording, options.observation == "poisson"
    folds, starts = range(options.n_folds), range(options.n_starts)
    jobs = [Job(rank, fold, start) for rank in options.ranks for fold in folds for start in starts]
    # Inputs of a single condition cannot be exchanged.
    least = min(np.unique(recording.condition[fits.fold != fold]).size for fold in folds)
    last = options.ranks[-1]
    others = [Job(last, fold, 0, shuffled=True) for fold in folds] if least > 1 else []
    full = [Job(FULL, fold, 0) for fold in folds] if ceiling else []
    solutions = dict(
        zip([*jobs, *others, *full], fits.run([*jobs, *others, *full], "fitting"), strict=True)
    )

    def scored(of: Sequence[Job]) -> tuple[Score, np.ndarray]:
        predicted = np.zeros((*recording.values.shape[:2], fits.model.n_neurons))
        for fold in folds:
            # The start that fits the other folds best.
            best = min((job for job in of if job.fold == fold), key=lambda j: solutions[j].loss[-1])
            out = fits.fold == fold
            model = fits.model_of(best)
            part = model.predicted(solutions[best].parameters, recording, out)
            predicted[out] = part
        return score(recording, predicted, poisson), predicted

    by_rank = [scored([job for job in jobs if job.n_ranks == rank]) for rank in options.ranks]
    scores = [one for one, _ in by_rank]
    position = chosen(scores)
    return Found(
        scores=scores,
        n_ranks=options.ranks[position],
        held_out=by_rank[position][1],
        fold=fits.fold,
        beside={
            **({"shuffled": scored(others)[0]} if others else {}),
            "average": score(recording, average_prediction(recording, fits.fold), poisson),
            **({"ceiling": scored(full)[0]} if ceiling else {}),
        },
        pca=[
            score(recording, pca_prediction(recording, fits.fold, rank), poisson)
            for rank in options.ranks
        ],
    )
