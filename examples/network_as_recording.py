"""
A network that looks like a recording
=====================================

A random recurrent network learns to tell the sign of a noisy input. Observed through Poisson
spikes of some of its neurons, it is a session like any other.
"""

from matplotlib.figure import Figure

import popdyn as pdn

# %%
# A task makes trials; training fits a linear readout of the fixed network by ridge regression.
task = pdn.tasks.PerceptualDecision()
net = pdn.network.Rate.random(200, g=1.2, rng=1)
net, history = pdn.train.reservoir(net, task, n_trials=200, rng=2)
history

# %%
# New trials, run and observed: 40 of the 200 neurons, with spikes.
simulation = pdn.simulate(net, task.sample(120, rng=3), rng=4)
session = pdn.observe(simulation, n_neurons=40, rng=5)
tensor = pdn.align(session, "stimulus_on_time", window=(-0.1, 0.9), bin_width=0.05)

# %%
# The state space of its averages, judged on trials that the axes were not fitted to.
space = pdn.PCA(n_components=3, by="choice", rng=6).fit(tensor).to_dataset()
figure = Figure(figsize=(8, 3.5), layout="constrained")
left, right = figure.subplots(1, 2)
pdn.plot.pca(space, ax=left)
pdn.plot.explained_variance(space, ax=right)

# %%
# When can the choice be read from the spikes? The gray band is what shuffled labels give.
decoding = pdn.decode(tensor, "choice", rng=7)
ax = pdn.plot.decode(decoding)
