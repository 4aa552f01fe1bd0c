"""What the numbers allow to say: four conditions, one verdict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REQUIREMENTS = ("rmse", "alternatives", "behavior", "shift")
LEVEL = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Evidence:
    """What was found.

    Attributes
    ----------
    p_true, p_estimate : float
        Of distances straight in the stimulus, and in the estimate.
    lack_true, lack_estimate : float
        P values of lack of fit, NaN if that cannot be tested.
    power_true, power_estimate : float
        To reject each if the other holds.
    alternatives, behavior, shift : float
        Whether a condition is met: 1, 0, or NaN if that was not seen.
    shift_ratio : float
        Observed over expected shift; 0 where it is not significant.
    """

    p_true: float
    p_estimate: float
    lack_true: float
    lack_estimate: float
    power_true: float
    power_estimate: float
    alternatives: float
    behavior: float
    shift: float
    shift_ratio: float = 0.0

    @property
    def conditions(self) -> dict[str, float]:
        """By requirement whether it is met: 1, 0, or NaN if that was not seen."""
        told = min(self.power_true, self.power_estimate) >= POWER
        prefers = self.p_true < LEVEL <= self.p_estimate and not self.lack_estimate < LEVEL
        values = (float(prefers) if told else np.nan, self.alternatives, self.behavior, self.shift)
        return dict(zip(REQUIREMENTS, values, strict=True))


def verdict_of(found: Evidence) -> tuple[str, str]:
    """Verdict and the reason for it.

    The prior shift comes first: where it could be seen and is absent, no curve of the distances
    makes an estimate of them.  Power is judged before the p values.
    """
    if found.shift == 0:
        return _unshifted(found)
    if min(found.power_true, found.power_estimate) < POWER:
        return "cannot be told apart", (
            f"with this noise the true stimulus is rejected with power {found.power_true:.3g} if "
            f"the estimate is coded, the estimate with power {found.power_estimate:.3g} if not; "
            f"each must be {POWER:g}"
        )
    rejected = found.p_true < LEVEL, found.p_estimate < LEVEL
    lacking = found.lack_true < LEVEL, found.lack_estimate < LEVEL
    if all(rejected) or all(lacking):
        return "neither", "distances are straight in neither the stimulus nor its estimate"
    if rejected[0]:
        return _estimate(found, lacking[1])
    if rejected[1]:
        return _true(found, lacking[0])
    if any(lacking):
        one = "true stimulus" if lacking[0] else "estimate"
        return "cannot be told apart", f"neither is rejected, though the {one} lacks fit"
    return "both fit", "neither is rejected, and both fit"


def _unshifted(found: Evidence) -> tuple[str, str]:
    """Judge where shared stimuli do not shift as estimates do."""
    straight = not found.p_true < LEVEL and not found.lack_true < LEVEL
    if straight and found.p_estimate < LEVEL:
        return "true", "no shift between the sets as of the estimate, and straight in the stimulus"
    if found.shift_ratio:
        return "neither", (
            "the same stimuli shift between the sets in the direction of the estimate, but not by "
            f"its amount ({found.shift_ratio:.2g} times that)"
        )
    return "neither", (
        "the same stimuli do not shift between the sets as the estimate does, and distances are "
        "not straight in the stimulus: a bent code of the true stimulus, perhaps"
    )


def _true(found: Evidence, lacks_fit: bool) -> tuple[str, str]:
    """Judge where the estimate is rejected and the stimulus is not."""
    if found.shift == 1 or found.shift_ratio:
        return "neither", "straight in the stimulus, but shared stimuli shift between the sets"
    if lacks_fit:
        return "neither", "closer to the stimulus than to its estimate, but the stimulus lacks fit"
    return "true", "the estimate is rejected, the stimulus is not, and it fits"


def _estimate(found: Evidence, lacks_fit: bool) -> tuple[str, str]:
    """Judge where the stimulus is rejected and the estimate is not."""
    if lacks_fit:
        return "neither", "closer to the estimate than to the stimulus, but the estimate lacks fit"
    if found.alternatives == 0:
        return "neither", "a bent code of the true stimulus predicts distances better"
    if found.behavior == 0:
        return "neither", "distances are bent like the estimate, but behavior does not contract"
    unseen = [name for name, met in found.conditions.items() if np.isnan(met)]
    if unseen:
        return "compatible with the estimate", (
            f"not seen: {' and '.join(unseen)}; a bent code that knows no prior is not excluded"
        )
    return "estimate", "all four conditions are met"
