"""
State space and demixing
========================

Which activity belongs to which variable of a trial, and along which directions? The same calls
on a recording of the human hippocampus and amygdala during film clips (Zheng et al. 2022), and on
a recurrent network that decides.
"""

from pathlib import Path

from matplotlib.figure import Figure

import popdyn as pdn

DATA = Path(pdn.__file__).parents[1] / "data"

# %%
# The recording: three kinds of boundaries in the clip, 30 trials each. The codes
# of the file get names.
session = pdn.read_session(
    DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="encoding_table"
).assign_coords(
    stimulus=lambda x: (
        "trial",
        [{0: "none", 1: "soft", 2: "hard"}[int(code)] for code in x["stimCategory"].values],
    )
)
counts = pdn.align(session, "boundary1_time", window=(-1.0, 1.5), bin_width=0.05)
human = pdn.soft_normalize(pdn.smooth(pdn.rate(counts), sigma=0.05))

# %%
# The network: motion and color arrive together, and a context says which counts (Mante et al.
# 2013). It is random and untrained, and observed through the spikes of 40 of its neurons.
task = pdn.tasks.ContextDecision(stimuli=[-0.4, 0.4], context_strength=0.3)
net = pdn.network.Rate.random(200, g=1.2, n_inputs=4, rng=1)
simulation = pdn.simulate(net, task.sample(240, rng=3), noise_density=0.5, rng=4)
observed = pdn.observe(simulation, n_neurons=40, rng=5)
observed = observed.assign_coords(motion=observed["stimulus"], color=observed["stimulus_2"])
spikes = pdn.align(observed, "stimulus_on_time", window=(-0.3, 0.8), bin_width=0.05)
network = pdn.soft_normalize(pdn.smooth(pdn.rate(spikes), sigma=0.05))
pdn.trial_table(network).groupby(["motion", "color", "context"]).size()

# %%
# **How many neurons encode what, and when?** A regression for every neuron and bin; clusters of
# bins are tested against permutations, so that 5 % of neurons that encode nothing are expected.
figure = Figure(figsize=(8, 3.2), layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
pdn.plot.encoding(pdn.encoding(human, ["stimulus"], n_draws=200, rng=6), ax=left)
pdn.plot.encoding(
    pdn.encoding(network, ["motion", "color", "context"], rng=6, n_draws=200), ax=right
)

# %%
# **Demixed components.** Each part of the averages (time, stimulus, ...) gets decoders of its own.
# Bars under the courses mark where held-out trials are classified better than shuffled ones.
demixed = pdn.DPCA(["stimulus"], regularization="cv", rng=7).fit(human)
test = demixed.significance(human, n_draws=40, rng=8)
ax = pdn.plot.dpca(demixed.to_dataset(), significance=test)

# %%
# The network has three factors. Every combination needs trials; an empty one would be named.
factors = ["motion", "color", "context"]
demixed = pdn.DPCA(factors, n_components=2, regularization="cv", rng=7).fit(network)
test = demixed.significance(network, n_draws=40, rng=8)
ax = pdn.plot.dpca(demixed.to_dataset(), significance=test)

# %%
# **Axes of task variables** (targeted dimensionality reduction): one axis for each regressor, made
# orthogonal in their order, and the averages of the conditions in their plane.
axes = pdn.TDR(["motion", "color", "context"], n_splits=5, n_draws=200, rng=9).fit(spikes)
figure = Figure(figsize=(8, 3.6), layout="constrained")
ax = pdn.plot.tdr(axes.to_dataset(), ax=figure.subplots())

# %%
# **Do two epochs share their directions?** Angles between the subspaces before and after the event,
# beside chance (gray: the signs of all neurons at random) and halves of the same trials (dashed). A
# gap keeps what smoothing carries over the border out of both.
figure = Figure(figsize=(8, 3.2), layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
epochs = {"before": (-1.0, -0.1), "after": (0.1, 1.0)}
overlap = pdn.subspace_overlap(human, by="stimulus", epochs=epochs, n_components=3, rng=10)
pdn.plot.subspace_overlap(overlap, ax=left)
epochs = {"early": (0.0, 0.35), "late": (0.45, 0.8)}
overlap = pdn.subspace_overlap(network, by=factors, epochs=epochs, n_components=3, rng=10)
pdn.plot.subspace_overlap(overlap, ax=right)

# %%
# **How long does activity remember itself?** Of unsmoothed counts: before the boundary,
# and during the stimuli of the network, whose averages are subtracted. The usual
# exponential fit (dotted) comes out short; the fit of what trials of this length are expected to
# show does not. Bounds without an end say that the window was too short to tell.
figure = Figure(figsize=(8, 3.2), layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
before = counts.sel(time=slice(-1.0, 0.0))
pdn.plot.timescale(pdn.timescale(before, by="stimulus", rng=11), ax=left)
during = spikes.sel(time=slice(0.0, 0.8))
pdn.plot.timescale(pdn.timescale(during, by=factors, rng=11), ax=right)
