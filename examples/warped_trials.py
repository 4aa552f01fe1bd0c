"""
Trials of unequal length
========================

Warping puts trials of unequal length on one axis of phase between events. Whether that is right
is a question about the neurons, and which trials are left at which phase one about the window:
both can be seen.
"""

import warnings
from pathlib import Path

from matplotlib.figure import Figure

import popdyn as pdn

# What popdyn has to say of the data is shown, and does not end the script.
warnings.simplefilter("default", pdn.PopdynWarning)

DATA = Path(pdn.__file__).parents[1] / "data"

# %%
# A person looked at an image until the answer, between one and six seconds (Zheng et al. 2022).
# Spikes are counted in bins of equal phase and divided by how long a bin really was.
human = pdn.read_session(
    DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="timediscrimination_table"
)
events = ["fixcross_time", "start_time", "response_time"]
warped = pdn.warp(human, events=events, n_bins=[4, 16])
warped.sizes

# %%
# First the durations. Every trial is seen at every phase; four quick ones are stretched by more
# than a factor of two.
ax = pdn.plot.warp(warped)

# %%
# A tensor ends where its window ends. Warped, its late phases hold the quick answers only: the
# number of trials falls, and so does the median duration of those that remain.
tensor = pdn.align(human, "start_time", window=(-1.0, 3.0), bin_width=0.05)
ax = pdn.plot.warp(pdn.warp(tensor, events=events, n_bins=[4, 16]))

# %%
# Does activity scale with duration? A mouse that licked too early had to wait longer (Guo,
# Inagaki et al. 2017). Aligned to the end of the sample (left), a neuron of its thalamus does
# the same in these trials as in others. Warped up to the cue (right) its answer comes earlier and
# shrinks: a difference that warping made. This neuron keeps to seconds, not to phase.
mouse = pdn.read_session(DATA / "mouse_thalamus_delay_anm00239123.nwb")
warped = pdn.warp(mouse, events=["pole_in_time", "pole_out_time", "cue_start_time"], n_bins=13)
aligned = pdn.rate(pdn.align(mouse, "pole_out_time", window=(-1.3, 1.3), bin_width=0.1))

figure = Figure(figsize=(9, 3), layout="constrained")
left, right = figure.subplots(1, 2)
pdn.plot.condition_average(pdn.condition_average(aligned, "response"), neuron=4, ax=left)
pdn.plot.condition_average(pdn.condition_average(warped, "response"), neuron=4, ax=right)
