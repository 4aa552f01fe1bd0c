"""
Populations by context
======================

A network that was written down, not trained: each of two populations hears one stimulus, and is
saturated by the cue of the other. What populations are found, whether they are needed, what
contexts do to their gains, and what is left without them.
"""

import numpy as np

import popdyn as pdn

# %%
# **The network.** One latent integrates; ``n`` says which stimulus a neuron adds to it.
rng = np.random.default_rng(0)
first = np.arange(1000) < 500
m, motion, color = rng.standard_normal((3, 1000))
cue_of_motion = np.where(first, 0, 16) * rng.standard_normal(1000)
cue_of_color = np.where(first, 16, 0) * rng.standard_normal(1000)
net = pdn.network.LowRank(
    m[:, None],
    (1.6 * m + 3 * np.where(first, motion, color))[:, None],
    np.column_stack([motion, color, cue_of_motion, cue_of_color]),
    4 * m[None],
)
task = pdn.tasks.ContextDecision(context_strength=0.5)

# %%
# **Are populations needed?** Networks are drawn anew from one Gaussian of the loadings, then from
# two: one does not do the task.
found = pdn.dynamics.populations(net, task=task, n_resamples=3, n_neurons=2000, n_starts=10)
ax = pdn.show(found)

# %%
# **Who is in which.** The slope of a cloud is what a population adds to the latent of a stimulus.
ax = pdn.plot.loadings(net, "input 1", "n 1", populations=found["label"])

# %%
# **What contexts do.** Each cue saturates one population, whose gain falls.
trials = task.sample(144, rng=1, dt=net.dt)
gains = pdn.dynamics.population_gains(net, trials, found, n_draws=200)
ax = pdn.show(gains)

# %%
# **Without a population** its context is lost. Each trial is its own control.
without = pdn.dynamics.inactivate(net, found, trials, by="context", noise_step=0.05, n_draws=200)
ax = pdn.show(without)
