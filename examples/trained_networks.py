"""
Trained networks
================

Two spiking networks that learned to produce intervals by full-FORCE: one was shown what it had to
measure exactly, the other with an error of 10 %. What they were told, what they do, and what the
error made of it.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import popdyn as pdn
from popdyn.plot.style import style_axes

NETWORKS = Path(pdn.__file__).parents[1] / "data" / "networks"

# %%
# **The task.** Two pulses show an interval; after a pause and a third pulse the output has to rise
# to 1 after as long a time. ``weber`` is the error of the senses.
jitter = pdn.tasks.IntervalProduction(dt=0.001, inter_trial=0.2, weber=0.1)
exact = pdn.tasks.IntervalProduction(dt=0.001, inter_trial=0.2)
trials = jitter.sample(250, rng=1)
ax = pdn.plot.task(trials)

# %%
# **The lesson.** A target network was told the true interval and the phases of the trial as well.
# Its currents are what the spiking network learned to make by itself.
ax = pdn.plot.lesson(jitter.teach(trials))

# %%
# **The networks.** Two lines load one and run it. Learning is off, and nothing but pulses goes in.
net = pdn.load(NETWORKS / "interval_production_jitter_0.nc")
sim = pdn.simulate(net, trials, task=jitter, continuous=True, record=(), rng=2)
ax = pdn.plot.output_against_target(sim, trials, show=5)

# %%
# **Its learning curve.** Tests with learning off, on fresh trials; the best was kept, and tested
# once more.
histories = pdn.load(NETWORKS / "histories.nc")
ax = pdn.show(histories["interval_production_jitter_0"].to_dataset())

# %%
# **Its spikes**: some neurons in one stretch, and around the pulse after which it produces the one
# that tells short intervals from long ones best.
few = trials.isel(trial=slice(0, 60))
session = pdn.simulate(net, few, task=jitter, continuous=True, record=("spikes",), rng=2)
ax = pdn.plot.session_raster(pdn.session_overview(session, n_raster_neurons=60))

# %%
counts = pdn.align(session, "go_time", window=(0.2, 0.7), bin_width=0.5)[:, 0]
long = (session["stimulus"] > 0.75).values
difference = counts[:, long].mean("trial") - counts[:, ~long].mean("trial")
neuron = int(counts["neuron"][int(np.abs(difference).values.argmax())])
ends = session.isel(trial=session["stimulus"].isin([0.5, 0.75, 1.0]).values)
ax = pdn.plot.raster(pdn.raster(ends, "go_time", (-0.3, 1.2), neuron, "stimulus"))

# %%
# **Behavior by class.** The network that learned with errors draws what it produces towards the
# middle of what it learned. Bars are standard deviations over trials, brackets 95 % intervals of
# the slope. One network each: ``networks.csv`` in the folder has all that are shipped.
control = pdn.load(NETWORKS / "interval_production_exact_0.nc")
same = exact.sample(250, rng=1)
other = pdn.simulate(control, same, task=exact, continuous=True, record=(), rng=2)

figure = Figure(figsize=(5.6, 3.2), layout="constrained")
ax = style_axes(figure.add_subplot())
for found, label, color in ((other, "exact", "#000000"), (sim, "jitter", "#0072B2")):
    behavior = pdn.behavior_by_class(found, rng=3)
    pdn.plot.behavior_by_class(behavior, ax=ax, label=label, color=color)
    print(label, "accuracy", behavior["accuracy"].mean().round(2).item())
