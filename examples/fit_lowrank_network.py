"""
A low-rank network fitted to activity
=====================================

Which small network does what was recorded? Here what was recorded is known: a network of rank 1,
half of whose neurons are seen, with noise. The fit finds how many latents it has, predicts trials
that it never saw, and says what of its weights is known and what is not. Of a recording that inputs
explain little of, the numbers beside the fit say that as well.
"""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import popdyn as pdn

# %%
# The network that is recorded integrates its input along one latent.
task = pdn.tasks.PerceptualDecision()
net = pdn.network.LowRank.random(80, rng=0)
net = dataclasses.replace(net, n=net.n + 1.2 * net.m + net.input)
trials = task.sample(40, 0, dt=net.dt)
rates = pdn.simulate(net, trials, bin_width=net.dt)["rate"].isel(neuron=slice(0, 80, 2))
noise = 0.1 * np.random.default_rng(0).standard_normal(rates.shape)
recorded = rates.copy(data=rates.values + noise)

# %%
# Networks of rank 1 and 2 are fitted with one fold of trials after the other held out, and predict
# these from their inputs alone.
fit = pdn.dynamics.fit_lowrank(recorded, trials, [1, 2], n_folds=4, n_iterations=80, rng=0)

figure = Figure(figsize=(9, 3), layout="constrained")
left, right = figure.subplots(1, 2)
pdn.plot.fit_lowrank(fit, ax=left)
pdn.plot.fit_lowrank_neurons(fit, ax=right)
figure

# %%
# What is known of the network: what its weights do to the activity that it visits. The weights
# themselves are not, as fits from two starts show.
print(fit.attrs["note"])

# %%
# The loadings of the latent are those of the network that was recorded.
found = pdn.network.LowRank.from_dataset(fit)
true = net.m[recorded["neuron"].values, 0]
cosine = found.m[:, 0] @ true / np.linalg.norm(found.m) / np.linalg.norm(true)
print(f"cosine of the loadings: {abs(cosine):.3f}")

# %%
# A recording: the human hippocampus and amygdala while film clips have no cut, a soft or a hard one
# (Zheng et al. 2022). Averages of the three kinds of clips are fitted; the network hears that there
# is a cut, and whether it is hard.
file = Path(pdn.__file__).parents[1] / "data" / "human_mtl_boundaries_sub-4_ses-4.nwb"
session = pdn.read_session(file, trials="encoding_table")
counts = pdn.align(session, "boundary1_time", window=(-1.0, 1.5), bin_width=0.05)
average = pdn.condition_average(pdn.smooth(pdn.rate(counts), sigma=0.05), by="stimCategory")
after = ((average["time"] > 0) & (average["time"] < 0.5)).astype(float)
kind = average["stimCategory"]
inputs = xr.concat([after * (kind > 0), after * (kind == 2)], "channel")
fit = pdn.dynamics.fit_lowrank(average, inputs, [1, 2, 3], n_folds=3, n_iterations=100)
explained = float(fit["r2"].sel(n_ranks=fit["chosen_rank"]))
print(f"explained: {explained:.2f}, by the average of other clips: {float(fit['average_r2']):.2f}")

# %%
# Most of what is explained are differences between the means of neurons, which the average of the
# other clips has as well: do not read this network. Of the course of a neuron next to nothing is.
own = fit["neuron_r2"].sel(n_ranks=fit["chosen_rank"])
print(f"explained about the mean of each neuron, median: {float(own.median()):.2f}")
ax = pdn.plot.fit_lowrank(fit)
