"""
A population inactivated
========================

A network that learned to decide by context, one of its populations silenced: each context loses its
own stimulus. A network that was fitted to its activity foretells it.
"""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

import popdyn as pdn

# %%
# **The network** has 512 neurons and one latent, and learned by backpropagation.
task = pdn.tasks.ContextDecision(context_strength=0.5)
net = pdn.network.LowRank.random(512, n_ranks=1, n_inputs=4, rng=0)
net, history = pdn.train.backprop(net, task, n_trials=6400, noise_step=0.05, rng=0)
found = pdn.dynamics.populations(net, 2, n_starts=10)

# %%
# **What a population is for.** It is silenced in trials with weak stimuli; the same trials with the
# same noise are the control. Without one population choices do not follow motion, without the other
# they do not follow color: each is what its context needs. What is left is also biased.
hard = replace(task, stimuli=(-0.06, -0.03, -0.015, 0.015, 0.03, 0.06))
trials = hard.sample(288, rng=1, dt=net.dt)
label = found["label"].values
groups = {f"population {name}": label == name for name in np.unique(label)}
run = {"by": "context", "noise_step": 0.05, "n_draws": 200}
done = pdn.dynamics.inactivate(net, groups, trials, **run)


def draw(results):
    """Draw a row for each result: choices in the context of motion, and in that of color."""
    figure = Figure(figsize=(7.2, 2.7 * len(results)), layout="constrained")
    rows = figure.subplots(len(results), 2, sharey=True, squeeze=False)
    for row, (name, result) in zip(rows, results.items(), strict=True):
        for ax, context, own in zip(row, task.contexts, ("stimulus", "stimulus_2"), strict=True):
            change = pdn.dynamics.inactivation_psychometric(result, own, by="context", n_draws=20)
            pdn.plot.inactivation_psychometric(change, context, ax=ax)
            ax.set_title(f"{name}: context of {context}")
            ax.set_xlabel(f"{context} (1)")
        row[0].get_legend().remove()
    return figure


figure = draw({"done": done})

# %%
# How much less choices follow motion in its context, with 95 % intervals over trials.
motion = pdn.dynamics.inactivation_psychometric(done, by="context", n_draws=200)
motion = motion.sel(condition="motion")
for name in motion["inactivation"].values:
    low, high = motion["slope_change_bound"].sel(inactivation=name).values
    print(
        f"without {name}: slope {float(motion['control_slope']):.0f} -> "
        f"{float(motion['slope'].sel(inactivation=name)):.0f} (change {low:.0f} to {high:.0f})"
    )

# %%
# **Foretold.** Other trials are recorded, and a network of rank 1 is fitted to them. It is read out
# as the network is, and its populations are silenced as well. What is lost is foretold; biases, for
# which small differences of the weights are enough, are so roughly.
shown = task.sample(72, rng=2, dt=net.dt)
recorded = pdn.simulate(net, shown, noise_step=0.05, bin_width=net.dt)["rate"]
fit = pdn.dynamics.fit_lowrank(
    recorded, shown, 1, ceiling=False, n_folds=2, n_starts=1, n_iterations=80, n_draws=100
)
fitted = replace(pdn.network.LowRank.from_dataset(fit), output=net.output)
foretold = pdn.dynamics.inactivate(fitted, groups, trials, **run)
figure = draw({"foretold": foretold, "done": done})

# %%
# The share of correct trials.
figure = Figure(figsize=(7.2, 2.2), layout="constrained")
pair = figure.subplots(1, 2, sharey=True, sharex=True)
for ax, result, title in zip(pair, (foretold, done), ("foretold", "done"), strict=True):
    pdn.plot.inactivate(result, ax=ax)
    ax.set_title(title)
