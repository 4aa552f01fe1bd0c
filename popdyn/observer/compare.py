"""Tell whether an observer with expectations predicts answers better than one without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.behavior.plausible import say_contexts
from popdyn.behavior.trials import answer_roles
from popdyn.errors import PopdynError
from popdyn.observer.assembly import usable_trials, with_trace
from popdyn.observer.choices import Choices
from popdyn.observer.discrimination import Discrimination
from popdyn.observer.fitting import most_likely, say_ends
from popdyn.observer.kind import Kind
from popdyn.observer.parameters import make_space
from popdyn.observer.production import Production
from popdyn.observer.responses import Responses
from popdyn.resample import Seed, as_generator
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]


def compare_observers(
    trials: Any,
    roles: Mapping[str, Any] | None = None,
    observers: Mapping[str, Any] | None = None,
    *,
    n_folds: int = 10,
    rng: Seed = 0,
) -> xr.Dataset:
    """Compare observers by the likelihood of trials they were not fitted to.

    Parameters
    ----------
    trials : DataFrame, tensor, Session or Dataset
    roles : mapping, optional
    observers : mapping, optional
        Name to observer; the first is what others are set against.  Without it the Bayesian
        observer (posterior mean), one that measures without expecting, and one that draws
        measurements towards the mean by a constant factor: all with one noise of measurement.
    n_folds : int
        Parts of the trials, each class spread over all of them.
    rng : int or numpy.random.Generator

    Returns
    -------
    Dataset
        Method ``"compare_observers"``: ``log_likelihood (observer)``, cross-validated, per trial in
        nats; ``difference (observer)``, the first's log-likelihood over all trials less this one's,
        with ``difference_error``, its standard error over trials (paired); ``fold_difference
        (fold, observer)``; ``n_parameters (observer)``.

    Raises
    ------
    PopdynError
        If observers are of different kinds.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = np.random.default_rng(0).choice(np.arange(0.5, 1.01, 0.1), 600)
    >>> truth = pdn.observer.Production(weber=0.15, motor_weber=0.05, prior=stimulus)
    >>> found = pdn.observer.compare_observers(truth.simulate({"stimulus": stimulus}), n_folds=3)
    >>> bool(found["difference"].sel(observer="unbiased") > 10)
    True
    """
    chosen = dict(observers) if observers else _usual(answer_roles(trials, roles))
    kinds = [_kind(observer) for observer in chosen.values()]
    if len({kind.done for kind in kinds}) > 1:
        message = "observers of choices and of responses cannot be compared with each other"
        raise PopdynError(message)
    table, known = usable_trials(kinds[0], trials, roles)
    say_contexts(table[known], "comparison")
    generator, seed = as_generator(rng)
    fold = _folds(table, known, list(kinds[0].shown), n_folds, generator)
    parts = []
    for name, kind in zip(chosen, kinds, strict=True):
        part, ends = _held_out(kind, table, known, fold, n_folds)
        say_ends(ends, f"fit of {name!r} to some of the trials")
        parts.append(part)
    each = np.stack(parts, axis=1)
    each, own = each[known], fold[known]
    difference = each[:, :1] - each
    n = len(each)
    folds = np.stack([difference[own == i].sum(axis=0) for i in range(n_folds)])
    return make_result(
        {
            "log_likelihood": ("observer", each.mean(axis=0)),
            "difference": ("observer", difference.sum(axis=0)),
            "difference_error": ("observer", difference.std(axis=0, ddof=1) * np.sqrt(n)),
            "fold_difference": (("fold", "observer"), folds),
            "n_parameters": ("observer", [len(kind.free()) for kind in kinds]),
        },
        coords={"observer": np.array(list(chosen), dtype=np.str_)},
        method="compare_observers",
        parameters={"n_folds": n_folds},
        seed=seed,
    )


def _usual(needed: tuple[str, ...]) -> dict[str, Any]:
    kind = Discrimination if "choice" in needed else Production
    rules = {"bayes": "mean", "unbiased": "none", "linear": "linear"}
    return {name: kind(estimator=rule) for name, rule in rules.items()}


def _kind(observer: Any) -> Kind:
    if isinstance(observer, Discrimination):
        return Choices(_unfitted(observer))
    if isinstance(observer, Production):
        return Responses(_unfitted(observer))
    message = f"expected observers, found {type(observer).__name__}"
    raise PopdynError(message)


def _unfitted(observer: Any) -> Any:
    """Copy an observer's arguments without what it learnt."""
    return type(observer)(**observer.get_params(deep=False))


def _folds(
    table: pd.DataFrame,
    known: NDArray[np.bool_],
    names: list[str],
    n_folds: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Deal the trials of each class in turn to the folds."""
    if not 2 <= n_folds <= known.sum():
        message = f"n_folds must be from 2 to the number of trials, found {n_folds}"
        raise PopdynError(message)
    fold = np.full(len(table), -1)
    shuffled = rng.permutation(np.flatnonzero(known))
    rows = table[names].to_numpy()[shuffled]
    order = shuffled[np.lexsort(rows.T[::-1])]
    fold[order] = np.arange(order.size) % n_folds
    return fold


def _held_out(
    kind: Kind, table: pd.DataFrame, known: NDArray[np.bool_], fold: Any, n_folds: int
) -> tuple[Array, list[str]]:
    """Fit to all folds but one, and say how likely that one is, and where searches ended."""
    each, whole = np.full(len(table), np.nan), with_trace(kind, table)
    ends: dict[str, None] = {}
    for i in range(n_folds):
        seen, mine = known & (fold != i), fold == i
        kind.observer.result_ = xr.Dataset(attrs=kind.learn(whole[seen]))
        space = make_space(kind.given(), kind.free(), float(np.ptp(whole["stimulus"][seen])))
        values = most_likely(kind.likelihood(whole[seen]), space)
        ends |= dict.fromkeys(space.ends(space.point(values)))
        each[mine] = kind.likelihood(whole[mine]).of_trials(values)
    return each, list(ends)
