"""
A recording by condition
========================

What does a file hold, and how does one of its neurons answer in each condition?
The recording is of the human hippocampus and amygdala while a person watched film clips, some
with a cut in the middle (Zheng et al. 2022).
"""

from pathlib import Path

from matplotlib.figure import Figure

import popdyn as pdn

DATA = Path(pdn.__file__).parents[1] / "data"
FILE = DATA / "human_mtl_boundaries_sub-4_ses-4.nwb"

# %%
# First look: tables, columns, events, and what looks wrong.
pdn.describe_nwb(FILE)

# %%
# This file has no table called ``trials``; `popdyn.describe_nwb` has listed those that it has.
# The session is everything that was recorded, unbinned.
session = pdn.read_session(FILE, trials="encoding_table")

# %%
# The spikes of one neuron around the boundary, trial by trial, and their average by condition
# with its standard error.
tensor = pdn.align(session, "boundary1_time", window=(-1.0, 1.5), bin_width=0.1)
average = pdn.condition_average(pdn.rate(tensor), by="stimCategory")
neuron = str(session["neuron"].values[0])

figure = Figure(figsize=(6, 5), layout="constrained")
top, bottom = figure.subplots(2, sharex=True)
spikes = pdn.raster(session, "boundary1_time", (-1.0, 1.5), neuron, "stimCategory")
pdn.plot.raster(spikes, ax=top)
pdn.plot.condition_average(average, neuron=neuron, ax=bottom)
