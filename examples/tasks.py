"""
Tasks
=====

A task draws trials: inputs, targets, which steps count, and a table of trials with events on a
session's clock. One trial of each, as a network sees it: inputs above, targets below where they
count (gray). Every stimulus set, duration and noise is an argument.
"""

import popdyn as pdn

# %%
# **Detection.** A weak stimulus, or none, at an unknown time; after three seconds, yes or no.
ax = pdn.plot.task(pdn.tasks.Detection().sample(3, rng=2))

# %%
# **Perceptual decision.** The sign of a noisy stimulus.
ax = pdn.plot.task(pdn.tasks.PerceptualDecision().sample(1, rng=1))

# %%
# **Context decision.** Two noisy stimuli, and a constant input that says which of them counts.
ax = pdn.plot.task(pdn.tasks.ContextDecision().sample(1, rng=1))

# %%
# **Multisensory decision.** One evidence, seen, heard, or both.
ax = pdn.plot.task(pdn.tasks.MultisensoryDecision(modalities=["both"]).sample(1, rng=1))

# %%
# **Frequency discrimination.** Was the second vibration faster than the first?
ax = pdn.plot.task(pdn.tasks.FrequencyDiscrimination().sample(1, rng=1))

# %%
# **Parametric working memory.** The same comparison after brief stimuli, with a graded answer.
ax = pdn.plot.task(pdn.tasks.ParametricWorkingMemory().sample(1, rng=1))

# %%
# **Delayed match.** Were sample and test the same, up to three seconds apart?
ax = pdn.plot.task(pdn.tasks.DelayedMatch().sample(1, rng=1))

# %%
# **Dual task.** A sample to be held for its test, and a Go or NoGo to be answered meanwhile.
ax = pdn.plot.task(pdn.tasks.DualTask().sample(1, rng=1))

# %%
# **Interval discrimination.** Was the second interval longer than the first?
ax = pdn.plot.task(pdn.tasks.IntervalDiscrimination().sample(1, rng=1))

# %%
# **Interval production.** An interval is shown and, from Go on, made again.
ax = pdn.plot.task(pdn.tasks.IntervalProduction().sample(1, rng=1))

# %%
# **Ready-Set-Go.** The interval starts to be made again at its own end.
ax = pdn.plot.task(pdn.tasks.ReadySetGo().sample(1, rng=1))

# %%
# **Flip-flop.** Three bits of memory, each set by the last pulse of its channel.
ax = pdn.plot.task(pdn.tasks.FlipFlop().sample(1, rng=1))

# %%
# **Oscillation.** A sum of sines after a pulse.
ax = pdn.plot.task(pdn.tasks.Oscillation().sample(1, rng=1))

# %%
# Stimulus sets are plain data: three stimuli instead of two, and a match in half of the trials.
same = [("A", "A", 2), ("B", "B", 2), ("C", "C", 2)]
others = [(a, b) for a in "ABC" for b in "ABC" if a != b]
task = pdn.tasks.DelayedMatch(pairs=same + others, delay_duration=(0.5, 1.0))
trials = task.sample(120, rng=3)
trials.attrs["n_trials_by_condition"]

# %%
# Trials come with a table like that of a recording.
pdn.trial_table(trials)[["sample", "test", "target_choice", "delay_duration"]].head()
