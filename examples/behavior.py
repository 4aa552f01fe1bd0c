"""
Licks beside spikes
===================

What did the animal do while the neuron fired? A mouse waits through a delay and then licks left
or right (Economo et al. 2018); the file holds every lick beside the spikes of a neuron of the
motor cortex.
"""

import warnings
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

import popdyn as pdn

# What popdyn has to say of the data is shown, and does not end the script.
warnings.simplefilter("default", pdn.PopdynWarning)

DATA = Path(pdn.__file__).parents[1] / "data"
FILE = DATA / "mouse_alm_delay_anm372793.nwb"
CUE, WINDOW, BIN_WIDTH = "cue_start_time", (-3.0, 2.0), 0.1

# %%
# `popdyn.describe_nwb` lists what can be read beside the spikes.
for series in pdn.describe_nwb(FILE).series:
    print(series)

# %%
# Licks that lie in two trials are stored with both: popdyn counts them once, and says so.
session = pdn.read_session(FILE, behavior=["lick_left_times", "lick_right_times"])

# %%
# The same trials and bins for both, in one Dataset.  In most trials of this file the cue lies past
# the start of the next trial, as `popdyn.describe_nwb` says; in many of these, licks come most of a
# second before their cue, so that its times contradict each other.  The other trials are taken.
trials = {"response": "correct", "cue_start_time": {"max": 6.39}}
counts = pdn.align(session, CUE, WINDOW, BIN_WIDTH, trials)
licks = pdn.align_behavior(session, CUE, WINDOW, BIN_WIDTH, trials)
both = xr.Dataset({"spike_count": counts, **licks})
both

# %%
# Licks to the right side and to the wrong one, under the rate of the neuron.
rates = both.groupby("type").mean("trial") / BIN_WIDTH
figure = Figure(figsize=(6, 5), layout="constrained")
top, bottom = figure.subplots(2, sharex=True)
for side, color in (("left", "C0"), ("right", "C1")):
    own = rates.sel(type=f"lick {side}")
    top.plot(own["time"], own["spike_count"].isel(neuron=0), color=color, label=f"told {side}")
    bottom.plot(own["time"], own[f"lick_{side}_times"], color=color, label=f"{side}, told {side}")
    other = {"left": "right", "right": "left"}[side]
    bottom.plot(
        own["time"], own[f"lick_{other}_times"], color=color, linestyle=":",
        label=f"{other}, told {side}",
    )  # fmt: skip
top.set_ylabel("firing rate (Hz)")
bottom.set(xlabel="time from cue (s)", ylabel="licks (per s)")
for ax in (top, bottom):
    ax.axvline(0.0, color="0.7", zorder=0)
    ax.legend(frameon=False)
