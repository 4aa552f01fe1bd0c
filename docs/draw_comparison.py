"""Draw the README's picture, docs/_static/comparison.png: python docs/draw_comparison.py."""

from pathlib import Path

from matplotlib.figure import Figure

import popdyn as pdn

ROOT = Path(__file__).resolve().parents[1]
TITLES = {
    "human": "35 human neurons, film clips",
    "network": "35 neurons of a random network, three inputs",
}


def draw(tree):
    """Trajectories and decoding of both sources, side by side."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplots(2, 2, height_ratios=(1.3, 1))
    for (source, title), (top, bottom) in zip(TITLES.items(), axes.T, strict=True):
        results = tree[f"sources/{source}"]
        pdn.plot.pca(results["pca"].to_dataset(), ax=top)
        pdn.plot.decode(results["decode"].to_dataset(), ax=bottom)
        top.set_title(title)
    return figure


if __name__ == "__main__":
    tree = pdn.compare(ROOT / "examples" / "reports" / "human_boundaries.toml")
    draw(tree).savefig(ROOT / "docs" / "_static" / "comparison.png", dpi=130)
