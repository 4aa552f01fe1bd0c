"""
Distance to a decision
======================

Networks that learned to detect a faint stimulus sit in a state from which they will say no, and a
push takes them to one from which they will say yes. How far it has to go is known for a network: it
is pushed, without noise, ever less. From trials it is only estimated, by the stimuli that were just
missed (Carnevale et al. 2015). Here both are set beside each other, in five networks.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import popdyn as pdn
from popdyn.plot.style import style_axes

NETWORKS = Path(pdn.__file__).parents[1] / "data" / "networks"
noise = pd.read_csv(NETWORKS / "detection.csv").groupby("network")["stimulus_noise"].first()
task = pdn.tasks.Detection(
    onset=(0.3, 1.3), stimulus_duration=0.3, delay_duration=0.5, report_duration=0.3, dt=0.01
)

# %%
# **Pushed**: one trial without stimulus and without noise, a pulse of 0.3 s on the channel of the
# stimulus, at each of five onsets. ``threshold`` is the amplitude that just turns no into yes,
# ``separatrix_distance`` how far it moves the state.
quiet = replace(task, stimulus_noise=0.0).sample(10, rng=0)
absent = quiet.isel(trial=np.flatnonzero(quiet["stimulus"] == 0)[:1])


def pushed(net, onset):
    return pdn.dynamics.separatrix_bisect(net, absent, "stimulus", onset, largest=2.0, duration=0.3)


# %%
# **Estimated**: 4,000 trials with the noise of the network, as an experiment has them. All neurons
# count: the first components of the averages are those of hits, along which faint stimuli hardly
# move the state.
def estimated(net, name):
    trials = replace(task, stimulus_noise=noise[name]).sample(4000, rng=1)
    sim = pdn.simulate(net, trials, record=("state",), dtype="float32", bin_width=0.05)
    return pdn.separatrix_distance(
        sim["potential"], onset_bins=5, smooth=None, n_components=None, n_draws=200
    )


# %%
# **Side by side.** Above: pushed. Below: estimated. Lines are distances, dashed lines thresholds.
figure = Figure(figsize=(13.0, 4.6), layout="constrained")
axes = figure.subplots(2, 5, sharex=True)
for ax in axes.flat:
    style_axes(ax)
rows = {}
for (above, below), name in zip(axes.T, noise.index, strict=True):
    net = pdn.load(NETWORKS / f"{name}.nc")
    estimate = estimated(net, name)
    truth = pushed(net, estimate["onset"])
    pdn.show(truth, ax=above).set_title(name, fontsize=8)
    pdn.show(estimate, ax=below)
    true = truth["separatrix_distance"]
    drawn = [np.corrcoef(one, true)[0, 1] for one in estimate["draw_separatrix_distance"]]
    rows[name] = {
        "pushed": float(true.mean()),
        "estimated": float(estimate["corrected_distance"].mean()),
        "correlation": np.corrcoef(estimate["separatrix_distance"], true)[0, 1],
        "lower": np.quantile(drawn, 0.025),
        "upper": np.quantile(drawn, 0.975),
        "with threshold": float(estimate["correlation"]),
    }
for ax in figure.axes:
    place, right = ax.get_subplotspec(), ax not in axes
    if not (place.is_last_col() if right else place.is_first_col()):
        ax.set_ylabel("")
    if not place.is_last_row():
        ax.set_xlabel("")

# %%
# **The same course in four of five, another size**: means over onsets, the correlation of estimated
# and pushed distance over five onsets with its 95 % interval, and that of the estimate with the
# threshold. Missed stimuli stop short of the boundary.
print(pd.DataFrame(rows).T.round(2).to_string())
