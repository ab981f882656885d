"""Small drawings as numbers: the templates write them into SVG attributes."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, _BASE, _RISE = 104, 24, 21
_SMALLEST_GAP = 4.0


@dataclass(frozen=True, slots=True)
class Spark:
    """A line of values over time; its box is 104 x 26, the highest value touches the top."""

    line: str
    end: float
    about: str


def spark(values: Sequence[float]) -> Spark | None:
    """Draw values, oldest first; None when there are too few for a line."""
    if len(values) < 2:
        return None
    highest = max(values) or 1
    step = WIDTH / (len(values) - 1)
    points = [(step * at, _BASE - value / highest * _RISE) for at, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    about = f"between {min(values):,.0f} and {max(values):,.0f} a minute, now {values[-1]:,.0f}"
    return Spark(f"M{line}", round(points[-1][1], 1), about)


@dataclass(frozen=True, slots=True)
class Part:
    """One summand of a ledger; `role` is the class that colours it."""

    label: str
    role: str
    value: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a bar, in percent of its length."""

    role: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Equation:
    """A total and its parts, with a bar to scale. `gap` is what the parts lack; below 0, what they have too much."""

    label: str
    total: int
    parts: tuple[Part, ...]

    @property
    def gap(self) -> int:
        """Total less parts; 0 when it adds up."""
        return self.total - sum(part.value for part in self.parts)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The bar beneath; a gap is drawn wide enough to be seen."""
        whole = max(self.total, self.total - self.gap)
        found: list[Segment] = []
        start = 0.0
        for part in self.parts:
            width = 100 * part.value / whole if whole else 0.0
            if width:
                found.append(Segment(part.role, round(start, 2), round(width, 2)))
            start += width
        if self.gap:
            width = max(_SMALLEST_GAP, 100 * abs(self.gap) / whole)
            found.append(Segment("gap", round(100 - width, 2), round(width, 2)))
        return tuple(found)
