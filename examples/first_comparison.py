"""
A first comparison
==================

A text file says which sources are compared and how; one call runs the same steps on each of
them, another writes the report.
"""

from pathlib import Path

import popdyn as pdn

ROOT = Path(pdn.__file__).parents[1]
SPEC = ROOT / "examples" / "reports" / "human_boundaries.toml"

# %%
# The spec: a human recording, and two networks, of rates and of spikes, given three stimuli.
print(SPEC.read_text())

# %%
# The tree holds the results of every source, and the scorecard that sets them side by side.
tree = pdn.compare(SPEC)
list(tree["sources"])

# %%
ax = pdn.plot.scorecard(tree["comparison/scorecard"].to_dataset())

# %%
# The report is one HTML file; figures and numbers lie beside it.
page = ROOT / "build" / "examples" / "human_boundaries.html"
page.parent.mkdir(parents=True, exist_ok=True)
pdn.report(tree, page)
