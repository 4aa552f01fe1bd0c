"""
A low-rank network fitted to activity
=====================================

Which small network does what was recorded? Here what was recorded is known: a network of rank 1,
half of whose neurons are seen, with noise. The fit finds how many latents it has, predicts trials
that it never saw, and says what of its weights is known and what is not.
"""

import dataclasses

import numpy as np
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
