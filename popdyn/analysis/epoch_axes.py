"""Does learning move a memory out of the way of a distractor?  Axes by epoch and by stage.

An axis is where a task variable is held in an epoch: the sample in the delay, say, and the
distractor while it is shown.  If both share an axis, the distractor overwrites the memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.epoch_axes_session import METHODS, along_axes, products
from popdyn.analysis.epoch_axes_stages import by_stage, trend_of
from popdyn.analysis.epoch_axes_trials import Axes, pose
from popdyn.analysis.folds import stratified_folds
from popdyn.analysis.statespace_samples import from_tensor
from popdyn.analysis.trials import Array
from popdyn.errors import TensorError
from popdyn.progress import watched
from popdyn.resample import BOUND, Seed, as_generator, spawn
from popdyn.tensor.contract import check
from popdyn.tensor.result import digest, make_result

Sessions = xr.DataArray | Sequence[xr.DataArray] | Mapping[str, xr.DataArray]
_ONE = {"units": "1"}


def epoch_axes(
    sessions: Sessions,
    axes: Axes,
    *,
    stage: Sequence[Any] | None = None,
    method: str = "mean_difference",
    n_splits: int = 20,
    n_folds: int = 5,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Find the axes of task variables in their epochs, and how far they overlap.

    Parameters
    ----------
    sessions : DataArray, sequence or mapping of DataArray
        Tensors (neuron, time, trial) with the same times; each has its own neurons and trials.
        Spike counts become rates.  Trials with a NaN in any neuron and bin are left out.
    axes : mapping of name to (label, (start, stop))
        For each axis the trial column, with two values, and the epoch in seconds (bins whose
        centers lie in it): ``{"memory": ("sample", (1.5, 2.0)), "distractor": ("distractor",
        (2.0, 3.0))}``.  An axis points from the value that sorts first to the other.
    stage : sequence, optional
        Learning stage of each session, in the order in which stages are to be compared (that of
        their first session).  Without it all sessions are one stage.
    method : {"mean_difference", "lda"}, default "mean_difference"
        Difference of the class means, or that in the metric of the noise (with a ridge).
    n_splits : int, default 20
        Splits of the trials into quarters.
    n_folds : int, default 5
        Folds of trials for projections and transfer.
    n_draws : int, default 1000
        Bootstrap draws of sessions and permutations of stages.
    rng : int or numpy.random.Generator, default 0
        Seed or generator.

    Returns
    -------
    Dataset
        Per session: ``cosine`` and ``overlap (session, axis, other_axis)``, its square, both
        without the noise; ``separation (session, axis, label, time)`` of the values of each label
        along each axis; ``transfer_accuracy (session, axis, epoch)``: the axis's label decoded,
        with axis and boundary of its own epoch, in each epoch.  Per stage: ``stage_cosine``,
        ``stage_overlap``, ``stage_angle`` (rad), ``stage_transfer_accuracy``, each with
        ``_bound``.  Over stages: ``trend (axis, other_axis)``, the rank correlation of overlap
        with stage, with its ``p``.

    Raises
    ------
    TensorError
        If a label is missing or has not two values, an epoch holds no bin, times differ, or an
        argument is out of range.
    FitError
        If no trial of a session is complete, or a class has fewer trials than folds.

    Warns
    -----
    PopdynWarning
        When trials are left out, or there are fewer than four trials of a class.

    Notes
    -----
    *Overlap*: noise turns two estimated axes apart, so that axes of all trials always look too
    orthogonal.  Inner products are taken between axes from separate quarters of the trials, which
    leaves their noise out: cos² is the mean of products of two such inner products, over
    the mean of products of the squared lengths.  Chance may take it below 0 and above 1;
    the angle is that of the value within.  It is NaN where an axis holds no signal.  Of one
    session with weak signal it scatters, and is too large on average, as a ratio with a noisy
    denominator is; of a stage, numerators and denominators are averaged over sessions first.

    *Bounds* (95 %): bootstrap of the sessions of a stage, widened by Student's t for their
    number; NaN with a single session.  *p* (two-sided): stages permuted among sessions.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> sample, distractor = np.tile([0, 0, 1, 1], 10), np.tile([0, 1], 20)
    >>> values = rng.normal(size=(10, 4, 40))
    >>> values[0, 1:3] += 6 * sample
    >>> values[1, 3] += 6 * distractor
    >>> trials = {"sample": sample, "distractor": distractor}
    >>> x = pdn.make_tensor(values, [0.0, 0.1, 0.2, 0.3], trials, units="1")
    >>> axes = {"memory": ("sample", (0.1, 0.3)), "distractor": ("distractor", (0.3, 0.4))}
    >>> result = pdn.epoch_axes(x, axes)
    >>> bool(result["overlap"].sel(axis="memory", other_axis="distractor")[0] < 0.1)
    True
    """
    _check_arguments(method, n_splits, n_folds, n_draws)
    generator, seed = as_generator(rng)
    tensors, names = _sessions(sessions)
    stages, member = _stages(stage, len(tensors))
    time = tensors[0]["time"].to_numpy()
    work = zip(tensors, names, spawn(generator, len(tensors)), strict=True)
    per_session = [
        _of_session(tensor, name, axes, time, method, (n_splits, n_folds), own)
        for tensor, name, own in watched(list(work), len(tensors), "finding axes")
    ]
    values = {name: np.stack([one[name] for one in per_session]) for name in per_session[0]}
    variables = _described(values, str(tensors[0].attrs.get("units", "1")))
    variables |= by_stage(values, member, len(stages), n_draws, generator)
    variables |= trend_of(values["overlap"], member, n_draws, generator)
    variables["n_trials"] = ("session", values["n_trials"], _ONE)
    parameters = {
        "axes": {name: list(of) for name, of in axes.items()}, "method": method,
        "n_splits": n_splits, "n_folds": n_folds, "n_draws": n_draws,
    }  # fmt: skip
    digests = "".join(digest(tensor) for tensor in tensors)
    source = tensors[0] if len(tensors) == 1 else xr.Dataset(attrs={"input_digest": digests[:64]})
    return make_result(
        variables,
        coords={
            "session": np.array(names), "session_stage": ("session", stages[member]),
            "stage": stages, "axis": list(axes), "other_axis": list(axes), "epoch": list(axes),
            "label": [label for label, _ in axes.values()], "time": tensors[0]["time"],
            "draw": np.arange(n_draws), "bound": BOUND,
        },
        method="epoch_axes", parameters=parameters, source=source, seed=seed,
    )  # fmt: skip


def _check_arguments(method: str, n_splits: int, n_folds: int, n_draws: int) -> None:
    """Refuse arguments out of range."""
    if method not in METHODS:
        message = f"method is one of {', '.join(map(repr, METHODS))}; found {method!r}"
        raise TensorError(message)
    if n_splits < 1 or n_folds < 2 or n_draws < 1:
        message = (
            f"expected n_splits >= 1, n_folds >= 2 and n_draws >= 1, found {n_splits}, "
            f"{n_folds} and {n_draws}"
        )
        raise TensorError(message)


def _sessions(sessions: Sessions) -> tuple[list[xr.DataArray], list[str]]:
    """Check the tensors and name them."""
    if isinstance(sessions, xr.DataArray):
        sessions = [sessions]
    if isinstance(sessions, Mapping):
        names, given = [str(name) for name in sessions], list(sessions.values())
    else:
        given = list(sessions)
        names = [str(number) for number in range(1, len(given) + 1)]
    if not given:
        message = "expected at least one session, found none"
        raise TensorError(message)
    tensors = [from_tensor(check(x)) for x in given]
    time = tensors[0]["time"].to_numpy()
    for name, tensor in zip(names, tensors, strict=True):
        own = tensor["time"].to_numpy()
        if own.shape != time.shape or not np.allclose(own, time):
            message = (
                f"sessions have to have the same times: {names[0]} has {time.size} bins from "
                f"{time[0]:g} to {time[-1]:g} s, {name} has {own.size} from {own[0]:g} to "
                f"{own[-1]:g} s"
            )
            raise TensorError(message)
    return tensors, names


def _stages(
    stage: Sequence[Any] | None, n_sessions: int
) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
    """Stages in order of their first session, and the stage of every session."""
    found = ["all"] * n_sessions if stage is None else [str(one) for one in stage]
    if len(found) != n_sessions:
        message = f"expected a stage for each of {n_sessions} sessions, found {len(found)}"
        raise TensorError(message)
    order = list(dict.fromkeys(found))
    return np.array(order), np.array([order.index(one) for one in found])


def _of_session(
    tensor: xr.DataArray,
    name: str,
    axes: Axes,
    time: Array,
    method: str,
    counts: tuple[int, int],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Everything that one session says."""
    n_splits, n_folds = counts
    session = pose(tensor, name, axes, time, n_folds)
    product, squared, power = products(session, method, spawn(rng, n_splits))
    length = np.diag(product)
    known = (length[:, None] > 0) & (length[None, :] > 0) & (power > 0)
    size = np.sqrt(np.where(known, np.multiply.outer(length, length), 1.0))
    _, stratum = np.unique(session.label, axis=1, return_inverse=True)
    separation, accuracy = along_axes(
        session, method, stratified_folds(stratum.ravel(), n_folds, rng)
    )
    return {
        "cosine": np.where(known, product / size, np.nan),
        "overlap": np.where(known, squared / np.where(known, power, 1.0), np.nan),
        "moments": np.stack([product, np.broadcast_to(length, product.shape), squared, power]),
        "separation": separation,
        "transfer_accuracy": accuracy,
        "n_trials": len(session.values),
    }


def _described(values: dict[str, Array], units: str) -> dict[str, Any]:
    """Variables of the sessions."""
    both = ("session", "axis", "other_axis")
    return {
        "cosine": (both, values["cosine"], _ONE),
        "overlap": (both, values["overlap"], _ONE),
        "separation": (
            ("session", "axis", "label", "time"), values["separation"], {"units": units},
        ),
        "transfer_accuracy": (("session", "axis", "epoch"), values["transfer_accuracy"], _ONE),
    }  # fmt: skip
