"""
What sets contraction
=====================

Networks that learned from erring senses draw their answers towards the middle of what they learned.
Here one constant of the training is changed at a time: the size of the error, how loud the target
network is told what to remember, and how long it has to be remembered. An observer that knows the
prior and the error, and nothing of networks, says what there is to expect.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import popdyn as pdn
from popdyn.plot.style import style_axes

NETWORKS = Path(pdn.__file__).parents[1] / "data" / "networks"
table = pd.read_csv(NETWORKS / "spread.csv")

# %%
# **A row is a network**: its slope (1: no contraction) with the 95 % interval over trials, and that
# of the observer. ``spread.py`` in the folder made them.
print(table.groupby("arm")[["slope", "observer_slope", "accuracy"]].mean().round(2).to_string())

# %%
# **The error of the senses sets the slope.** Each dot is a network; the line is the observer.
COLORS = {"frequency": "#0072B2", "interval": "#D55E00", "production": "#009E73"}
figure = Figure(figsize=(4.4, 3.4), layout="constrained")
ax = style_axes(figure.add_subplot())
by_error = table[~table["arm"].str.contains("memory|delay")]
for task, color in COLORS.items():
    rows = by_error[by_error["arm"].str.startswith(task)]
    beside = rows["observer_slope"] + 0.004 * (rows["seed"] - 2)
    bars = np.abs(rows[["slope_lower", "slope_upper"]].T - rows["slope"]).to_numpy()
    ax.errorbar(beside, rows["slope"], bars, fmt="o", ms=4, lw=0.8, color=color, label=task)
ends = [0.4, 1.02]
ax.plot(ends, ends, "--", color="#666666", lw=1, label="the observer")
ax.set_xlabel("slope of a Bayesian observer")
ax.set_ylabel("slope of the network")
ax.legend(frameon=False)

# %%
# **Hints and delays**: the same error, another memory hint or delay (frequency discrimination).
ARMS = ["frequency", "frequency_memory_half", "frequency_memory_double"]
ARMS += ["frequency_delay_short", "frequency_delay_long"]
figure = Figure(figsize=(4.4, 3.4), layout="constrained")
ax = style_axes(figure.add_subplot())
NAMES = ["as shipped", "half the hint", "twice the hint", "delay 0.5 to 1 s", "delay 3 to 4 s"]
for place, arm in enumerate(ARMS):
    rows = table[table["arm"] == arm]
    bars = np.abs(rows[["slope_lower", "slope_upper"]].T - rows["slope"]).to_numpy()
    beside = place + 0.1 * (rows["seed"] - rows["seed"].mean())
    ax.errorbar(beside, rows["slope"], bars, fmt="o", ms=4, lw=0.8, color=COLORS["frequency"])
ax.axhline(rows["observer_slope"].iloc[0], ls="--", color="#666666", lw=1)
ax.set_xticks(range(len(ARMS)), NAMES, rotation=30, ha="right")
ax.set_ylabel("slope of the network")
