"""
Random or clustered selectivity
===============================

Do neurons fall into groups that stand for the same thing, or is their selectivity mixed at random?
First clouds of which the answer is known, then a recording (Zheng et al. 2022), a random network
and one with two populations, by the same call.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import popdyn as pdn
from popdyn.plot.style import style_axes

DATA = Path(pdn.__file__).parents[1] / "data"


def panels(results):
    """One picture for each result."""
    figure = Figure(figsize=(3.4 * len(results), 2.6), layout="constrained")
    for ax, result in zip(figure.subplots(1, len(results)), results, strict=True):
        pdn.plot.selectivity_test(result, ax=style_axes(ax))
    return figure


# %%
# **Known answers.** Six groups of 25 neurons, and a cloud without groups whose lengths vary much.
# The first PAIRS (Raposo et al. 2014) takes a cloud that is longer along one axis for groups.
rng = np.random.default_rng(3)
centers = rng.normal(size=(6, 4))
groups = np.repeat(2 * centers / np.linalg.norm(centers, axis=1, keepdims=True), 25, axis=0)
groups += 0.5 * rng.normal(size=groups.shape)
heavy = rng.normal(size=(150, 4)) * [4, 2, 1, 1] / np.sqrt(rng.chisquare(3, size=(150, 1)) / 3)
figure = panels(
    [
        pdn.selectivity_test(groups),
        pdn.selectivity_test(heavy),
        pdn.selectivity_test(heavy, "pairs", "raposo2014"),
    ]
)

# %%
# **How many groups?** Fewer than there are, with so few neurons each.
ax = pdn.show(pdn.selectivity_test(groups, "cluster", n_draws=39))

# %%
# **The same groups?** Other neurons about the same centers, with one feature three times as strong,
# and neurons about other centers.
again = np.random.default_rng(4)
same = 2 * centers / np.linalg.norm(centers, axis=1, keepdims=True)
same = (same[again.integers(0, 6, 120)] + 0.5 * again.normal(size=(120, 4))) * [1, 3, 1, 1]
other = again.normal(size=(6, 4))[again.integers(0, 6, 120)] + 0.4 * again.normal(size=(120, 4))
agreement = pdn.selectivity_agreement({"first": groups, "same": same, "other": other})
ax = pdn.show(agreement)

# %%
# **A recording**: coefficients of three kinds of boundaries in a film clip, in the half second
# after them. Their standard errors go into the null.
session = pdn.read_session(
    DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="encoding_table"
).assign_coords(
    boundary=lambda x: (
        "trial",
        [{0: "none", 1: "soft", 2: "hard"}[int(code)] for code in x["stimCategory"].values],
    )
)
counts = pdn.align(session, "boundary1_time", window=(0.0, 0.5), bin_width=0.5)
recording = pdn.encoding(counts, ["boundary"], n_folds=0)

# %%
# **A random network** that hears motion, color and a cue, in the same half second.
task = pdn.tasks.ContextDecision(stimuli=[-0.4, 0.4], context_strength=0.3)
net = pdn.network.Rate.random(200, g=1.2, n_inputs=4, rng=1)
simulation = pdn.simulate(net, task.sample(240, rng=3), noise_density=0.5, rng=4)
observed = pdn.observe(simulation, n_neurons=150, rng=5)
spikes = pdn.align(observed, "stimulus_on_time", window=(0.1, 0.6), bin_width=0.5)
network = pdn.encoding(spikes, ["stimulus", "stimulus_2", "context"], n_folds=0)

# %%
# **Loadings of a network with two populations**, each of which hears one stimulus.
first = np.arange(400) < 200
m, motion, color = rng.standard_normal((3, 400))
loadings = np.column_stack([m, 1.6 * m + 3 * np.where(first, motion, color), motion, color])
figure = panels([pdn.selectivity_test(x, n_draws=400) for x in (recording, network, loadings)])
