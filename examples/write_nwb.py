"""
A network written as a recording
================================

A simulated network, observed through the spikes of some neurons, goes into an NWB file that any
tool can read, and comes back as it was.
"""

import tempfile
from pathlib import Path

import h5py
import numpy as np

import popdyn as pdn

# %%
# A session to write: 30 neurons of a random network that sees a perceptual decision.
net = pdn.network.Rate.random(100, g=1.2, rng=1)
trials = pdn.tasks.PerceptualDecision().sample(60, rng=2, dt=net.dt)
session = pdn.observe(pdn.simulate(net, trials, rng=3), n_neurons=30, rng=4)

# %%
# The file, in a folder of its own. Who and where are for you to say.
folder = tempfile.TemporaryDirectory()
file = pdn.write_nwb(
    Path(folder.name) / "network.nwb",
    session,
    experimenter="Doe, Jane",
    institution="Institute of Examples",
    session_description="A random network sees a noisy stimulus.",
)
pdn.describe_nwb(file)

# %%
# Other tools find spikes, observation intervals and trials where NWB keeps them.
with h5py.File(file) as content:
    n_stored = content["units/spike_times"].shape[0]
    columns = sorted(content["intervals/trials"].attrs["colnames"])
print(n_stored, "spikes;", ", ".join(columns))

# %%
# Read again with the same arguments, the tensor is the same, bin for bin.
window = {"window": (-0.1, 0.9), "bin_width": 0.05}
tensor = pdn.align(session, "stimulus_on_time", **window)
again = pdn.read_nwb(file, align="stimulus_on_time", **window)
print("the same:", np.array_equal(again, tensor, equal_nan=True))
read = pdn.read_session(file)
folder.cleanup()

# %%
# And it is looked at like any recording: the neuron whose rate differs most between choices.
n_spikes = again.sum("time").groupby("choice").mean()
neuron = int((n_spikes.max("choice") - n_spikes.min("choice")).idxmax("neuron"))
raster = pdn.raster(read, "stimulus_on_time", (-0.1, 0.9), neuron, "choice")
axes = pdn.plot.raster(raster)
