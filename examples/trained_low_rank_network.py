"""
A low-rank network, trained and read
====================================

Which computation does a trained network do? One of rank 2 learns to compare two stimuli across a
delay by backpropagation, without any other package. Its state is two latents: where they flow
during the delay is how it remembers, who drives them is how it compares.
"""

import pathlib

from matplotlib.figure import Figure

import popdyn as pdn

# %%
# **The task.** The first stimulus has to be kept in memory until the second comes; the output then
# tells their difference.
task = pdn.tasks.ParametricWorkingMemory()
trials = task.sample(96, rng=1, dt=0.02)
ax = pdn.plot.task(trials)

# %%
# **Training.** From random loadings this memory is not found: a network with all weights learns
# first, and its two largest singular values are where the low-rank network starts.
full = pdn.network.Rate.random(256, g=0.5, dt=0.02, rng=0)
full, history = pdn.train.backprop(
    full, task, n_trials=1920, validate_every=96, noise_step=0.005, rng=0
)
ax = pdn.show(history)

# %%
start = pdn.network.LowRank.from_rate(full, n_ranks=2)
net, history = pdn.train.backprop(start, task, n_trials=3200, noise_step=0.005, rng=1)
net = net.canonical()
print(f"share correct on fresh trials: {float(history['final_accuracy']):.3f}")

# %%
# **What it does** in a few trials, with learning off.
sim = pdn.simulate(net, trials, record=("rate", "latent"), task=task)
ax = pdn.plot.output_against_target(sim, trials, show=4)

# %%
# **How it remembers.** During the delay nothing is heard: the latents flow to a line, along which
# they hardly move. Blue: the latents in trials; circles: fixed points, filled if stable.
delay = pdn.dynamics.flow(net, [0.0], extent=1.2 * float(abs(sim["latent"]).max()))
figure = Figure(figsize=(8, 3.4), layout="constrained")
left, right = figure.subplots(1, 2)
pdn.plot.flow(delay, sim["latent"].isel(trial=slice(0, 20)), ax=left)
pdn.plot.loadings(net, "m 1", "n 1", ax=right)
figure

# %%
# **Who drives whom.** The couplings of the effective circuit, without input and under a strong
# one, which saturates neurons and so weakens what latents do to each other.
ax = pdn.show(pdn.dynamics.effective_couplings(net, {"no input": [0.0], "strong input": [2.0]}))

# %%
# **Without a latent.** Each trial is its own control. This network does without the second one:
# from some starts one latent is enough for this task.
without = pdn.dynamics.inactivate(net, "latents", trials, task=task, n_draws=200)
ax = pdn.show(without)

# %%
# **Beside a recording.** Forty neurons of the network with all weights stand for one. Networks of
# several ranks are fitted to forty neurons of both: how many latents does the memory need, and how
# much of what held-out stimuli do is predicted by them? With ``populations``, ``flow``,
# ``effective_couplings`` and ``inactivate`` the report reads the low-rank network as well.
build = pathlib.Path("build")
build.mkdir(exist_ok=True)
pdn.save(full, build / "memory_full_rank.nc")
pdn.save(net, build / "memory_rank_2.nc")
shared = {
    "kind": "network",
    "align": "stimulus_on_time",
    "task": {"name": "ParametricWorkingMemory"},
    "simulate": {"n_trials": 216},
}
fit = {"n_ranks": [1, 2, 3], "n_starts": 1, "ceiling": False}
spec = {
    "title": "A memory of rank 2, beside neurons of a full network",
    "alignment": {"window": [-0.1, 0.6], "bin_width": 0.1},
    "conditions": {"by": ["stimulus"]},
    "match": {"neurons": 40},
    "analyses": {"fit_lowrank": fit},
    "source": [
        {"id": "recording", "network": {"path": "build/memory_full_rank.nc"}, **shared},
        {"id": "low rank", "network": {"path": "build/memory_rank_2.nc"}, **shared},
    ],
}
tree = pdn.compare(spec, progress=False)
page = pdn.report(tree, build / "low_rank.html", progress=False)
figure = Figure(figsize=(10, 3), layout="constrained")
for ax, name in zip(figure.subplots(1, 2), tree["sources"].children, strict=True):
    pdn.plot.fit_lowrank(tree[f"sources/{name}/fit_lowrank"].to_dataset(), ax=ax).set_title(name)
figure
