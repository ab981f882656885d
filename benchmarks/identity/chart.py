"""Draws how well each system found who is one person, and how well threadline knew: `chart.py FILE`, results as JSON on the standard input.

Runs in an environment of its own (identity.txt): nothing else needs a drawing library.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

SYSTEMS = {
    "threadline": ("threadline", "#0b7285"), "rules": ("threadline, rules only", "#99d8e0"),
    "splink": ("Splink alone", "#adb5bd"), "dedupe": ("dedupe, told 60 answers", "#dee2e6"),
}  # fmt: skip
# The same figures make the same file, and its text can be searched and read aloud.
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "threadline", "font.family": "sans-serif", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "white",
}  # fmt: skip
_FEWEST, _FEWEST_POINTS = 10, 3


def bars(panel: Any, results: Sequence[Mapping[str, Any]]) -> None:
    """Draw F1 by set and system."""
    sets = list(dict.fromkeys(one["records"] for one in results))
    width = 0.8 / len(SYSTEMS)
    for number, (system, (title, colour)) in enumerate(SYSTEMS.items()):
        found = {one["records"]: one["agreement"]["f1"] for one in results if one["system"] == system}
        places = [place + (number - len(SYSTEMS) / 2 + 0.5) * width for place, name in enumerate(sets) if name in found]
        panel.bar(places, [found[name] for name in sets if name in found], width, label=title, color=colour)
    panel.set_xticks(range(len(sets)), [name.replace(" ", "\n") for name in sets], fontsize=9)
    panel.set_ylim(0, 1)
    panel.set_title("pairwise F1", loc="left", fontsize=10)
    panel.legend(frameon=False, ncols=len(SYSTEMS), loc="upper center", bbox_to_anchor=(0.5, -0.14))


def calibration(panel: Any, results: Sequence[Mapping[str, Any]]) -> None:
    """Draw how many pairs of a promised probability are one person."""
    panel.plot([0, 1], [0, 1], color="#ced4da", linewidth=1)
    for one in results:
        points = [(chance, same / pairs) for chance, pairs, same in one["promised"] if pairs >= _FEWEST]
        if len(points) > _FEWEST_POINTS:
            panel.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1, label=one["records"])
    panel.set_xlabel("promised probability")
    panel.set_title("share that is one person", loc="left", fontsize=10)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(frameon=False, fontsize=8)


def main() -> None:
    """Draw both."""
    results = json.load(sys.stdin)
    with plt.rc_context(STYLE):
        _, panels = plt.subplots(1, 2, figsize=(14, 3.8), width_ratios=(3, 1), layout="constrained")
        bars(panels[0], results)
        calibration(panels[1], results)
        plt.savefig(Path(sys.argv[1]), metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
