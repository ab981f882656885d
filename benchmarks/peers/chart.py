"""Draws the pictures of docs/performance.md: `chart.py FOLDER`, figures as JSON on the standard input.

Runs in an environment of its own (chart.txt): nothing else needs a drawing library.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

OWN, OTHER = "#0b7285", "#adb5bd"
# The same figures make the same file, and its text can be searched and read aloud.
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "threadline", "font.family": "sans-serif", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "white",
}  # fmt: skip


def bars(figures: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Draw CPU seconds of each system, one panel for each case."""
    systems = list(next(iter(figures.values())))
    picture, panels = plt.subplots(1, len(figures), figsize=(11, 0.42 * len(systems) + 1.1), sharey=True, layout="constrained")
    for panel, (case, seconds) in zip(panels, figures.items(), strict=True):
        widths = [seconds.get(system, 0.0) for system in systems]
        drawn = panel.barh(systems, widths, color=[OWN if system.startswith("threadline") else OTHER for system in systems])
        panel.bar_label(drawn, [f"{width:.1f}" if width else "" for width in widths], padding=3)
        # On a scale of one step for each tenfold, a bar's length would say nothing.
        panel.set_xlim(0, 1.25 * sorted(widths)[-2])
        panel.set_title(f"{case}, CPU seconds", loc="left", fontsize=10)
        panel.spines["bottom"].set_visible(False)
        panel.tick_params(bottom=False, labelbottom=False, left=False)
    panels[0].invert_yaxis()
    save(path)
    plt.close(picture)


def curves(figures: Mapping[str, Sequence[tuple[int, float]]], path: Path) -> None:
    """Draw CPU seconds of the same delta against the records stored."""
    picture, panel = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for (title, points), colour in zip(figures.items(), (OWN, "#e8590c"), strict=False):
        panel.plot(*zip(*points, strict=True), marker="o", color=colour, label=title)
    panel.set_xscale("log")
    panel.set_xticks(sizes := [size for size, _ in next(iter(figures.values()))], [f"{size:,}" for size in sizes])
    panel.minorticks_off()
    panel.set_ylim(bottom=0)
    panel.set_xlabel("records stored")
    panel.set_title("the same delta, CPU seconds", loc="left", fontsize=10)
    panel.legend(frameon=False)
    save(path)
    plt.close(picture)


def save(path: Path) -> None:
    """Write the picture, without the day on which it was drawn."""
    plt.savefig(path, metadata={"Date": None, "Creator": None})


def main() -> None:
    """Draw what there are figures for."""
    figures, folder = json.load(sys.stdin), Path(sys.argv[1])
    with plt.rc_context(STYLE):
        if any(figures["bars"].values()):
            bars(figures["bars"], folder / "performance.svg")
        if figures["curves"]:
            curves(figures["curves"], folder / "scaling.svg")


if __name__ == "__main__":
    main()
