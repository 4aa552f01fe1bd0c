"""
Networks, run and observed
==========================

What a network does on trials of a task: with and without reset between trials, what of it can be
kept, and what an experiment would see of it.
"""

import numpy as np
from matplotlib.figure import Figure

import popdyn as pdn

# %%
# A random network, and trials of a task with pauses of different lengths between them.
net = pdn.network.Rate.random(200, g=1.3, rng=1)
task = pdn.tasks.PerceptualDecision(stimuli=(-1.0, 1.0), inter_trial=(0.2, 1.0))
net, history = pdn.train.reservoir(net, task, rng=2)
trials = task.sample(60, rng=3, dt=net.dt)

# %%
# **One stream.** Without reset a trial starts from where the last one and the pause after it have
# left the network. Both runs have the same noise: what differs is the past.
noise = {"noise_density": 0.1, "rng": 4}
anew = pdn.simulate(net, trials, **noise)
stream = pdn.simulate(net, trials, continuous=True, around=(0.5, 0.5), **noise)

figure = Figure(figsize=(8, 3.6), layout="constrained")
axes = figure.subplots(2, 1, sharex=True)
for ax, sim, title in zip(axes, (anew, stream), ("with reset", "one stream"), strict=True):
    for trial in (7, 8, 9):
        rate = sim["rate"].isel(trial=trial, neuron=slice(0, 4))
        on_clock = sim["time"] + float(sim["start_time"][trial])
        ax.plot(on_clock, rate.T, lw=1)
        ax.axvspan(*(float(sim[name][trial]) for name in ("start_time", "stop_time")), color="0.93")
        ax.set_prop_cycle(None)
    ax.set(title=title, ylabel="rate (1)", ylim=(-1, 1))
axes[1].set_xlabel("time on the session's clock (s); trials are gray")

# %%
# **States and rates.** Both are tensors on the same bins, and are aligned to any event of a trial.
sim = pdn.simulate(net, trials, record=("rate", "state"), **noise)
state = pdn.align(sim["potential"], "stimulus_on_time", window=(-0.1, 0.9))
rate = pdn.align(sim["rate"], "stimulus_on_time", window=(-0.1, 0.9))

figure = Figure(figsize=(8, 3), layout="constrained")
left, right = figure.subplots(1, 2)
for choice, color in ((-1, "C0"), (1, "C3")):
    chosen = np.flatnonzero(state["choice"] == choice)
    label = f"choice {choice}"
    left.plot(state["time"], state.isel(neuron=5, trial=chosen).mean("trial"), color, label=label)
    right.plot(rate["time"], rate.isel(neuron=5, trial=chosen).mean("trial"), color, label=label)
left.set(title="state of a neuron", xlabel="time from stimulus (s)", ylabel="state (1)")
right.set(title="its rate", xlabel="time from stimulus (s)", ylabel="rate (1)")
right.legend(frameon=False)

# %%
# **As recordings see it.** Three sessions of 40 neurons each, recorded apart. Rates drift, and
# each neuron is missing in a stretch of trials: white.
lively = {"baseline": 10.0, "gain": 10.0}
sessions = pdn.observe_sessions(
    stream["rate"], 3, 40, rate_map=lively, drift=0.5, drift_time=20.0,
    missing_trials=0.2, rng=5,
)  # fmt: skip

figure = Figure(figsize=(8, 3.4), layout="constrained")
for ax, (name, session) in zip(figure.subplots(1, 3), sessions.items(), strict=True):
    counts = pdn.align(session, "stimulus_on_time", window=(0.0, 0.6), bin_width=0.6)
    hertz = counts.values[:, 0] / 0.6
    image = ax.imshow(hertz, aspect="auto", cmap="viridis", vmin=0, vmax=25, interpolation="none")
    ax.set(title=name, xlabel="trial of the session")
figure.axes[0].set_ylabel("neuron")
bar = figure.colorbar(image, ax=figure.axes, label="firing rate (Hz)")

# %%
# **Spikes of its own.** A spiking network gives a Session at once, which can be observed as well.
spiking = pdn.network.Spiking.random(200, rng=0)
weak = pdn.tasks.PerceptualDecision(stimuli=(-0.3, 0.3), fixation_duration=0.4)
drawn = weak.sample(20, rng=1, dt=spiking.dt)
noisy = {"noise_density": 2.0, "rng": 2}
session = pdn.simulate(spiking, drawn, record=("spikes",), continuous=True, **noisy)
seen = pdn.observe(session, 30, rng=3)
busiest = int(seen["neuron"][np.argmax(np.diff(seen["neuron_start"]))])
ax = pdn.plot.raster(pdn.raster(seen, "stimulus_on_time", (-0.3, 0.7), busiest, "stimulus"))
