"""The chapter from behavior to verdict: how its pictures are drawn, in which order."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.reporting import perceived_captions as captions
from popdyn.reporting.picture import Chapter, Draw, Picture
from popdyn.reporting.verdict_words import verdicts


def _draw_behavior(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.behavior(result, ax=ax)


def _of(part: str) -> Draw:
    def draw(result: xr.Dataset, color: str, ax: Axes) -> None:
        del color
        plot.relative_distance(result, of=part, ax=ax)  # type: ignore[arg-type]

    return draw


def _draw_decoded(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.decoded(result, ax=ax)


def _draw_errors(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.estimation_test(result, of="errors", ax=ax)


def _draw_verdict(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.verdict(result, ax=ax)


def _kinet_part(result: xr.Dataset) -> xr.Dataset:
    """Leave out the trajectories, which the netCDF file holds."""
    return result.drop_vars(["trajectory"], errors="ignore")


def _test_part(result: xr.Dataset) -> xr.Dataset:
    """Leave out single draws of the simulated data sets."""
    return result.drop_vars([n for n in map(str, result.data_vars) if n.startswith("null_")])


PERCEIVED = Chapter(
    "Perceived or presented",
    "Do distances between orbits follow the stimulus as it was, or as an observer of the source's "
    "own behavior perceives it?",
    (
        Picture(
            "behavior",
            "behavior",
            "Behavior and its observer.",
            _draw_behavior,
            captions.perceived_behavior,
            same_axis=True,
        ),
        Picture("kinet", "orbits", "Orbits.", _of("orbits"), captions.orbits, numbers=False),
        Picture(
            "kinet",
            "orbit-distance",
            "Distances over time.",
            _of("distance"),
            captions.orbit_distances,
            part=_kinet_part,
        ),
        Picture(
            "estimation_test",
            "decoded",
            "Told by distances.",
            _draw_decoded,
            captions.told_stimuli,
            same_axis=True,
            part=_test_part,
        ),
        Picture(
            "estimation_test",
            "errors",
            "Errors of both.",
            _draw_errors,
            captions.error_distributions,
            numbers=False,
        ),
        Picture(
            "estimation_test",
            "verdict",
            "Verdict.",
            _draw_verdict,
            verdicts,
            numbers=False,
            size=(3.6, 2.1),
        ),
    ),
)
