"""Sets of numbers that are mostly without gaps, as IMAP writes them: `1:40,42` (RFC 9051, sequence-set)."""

from collections.abc import Iterable, Iterator


class Ranges:
    """Numbers above 0, kept as ranges in ascending order; a value that does not change."""

    __slots__ = ("_ranges",)

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges = tuple(ranges)

    @classmethod
    def parse(cls, text: str) -> "Ranges":
        """Read what `str` has written; ValueError for anything else."""
        pairs = [part.partition(":")[::2] for part in text.split(",")] if text else []
        ranges = [(int(first), int(last or first)) for first, last in pairs]
        below = 0
        for first, last in ranges:
            if not below < first <= last:
                raise ValueError(f"{first}:{last} does not follow {below}")
            below = last
        return cls(ranges)

    def __str__(self) -> str:
        return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __iter__(self) -> Iterator[int]:
        for first, last in self._ranges:
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._ranges)

    @property
    def pieces(self) -> int:
        """How many ranges it takes."""
        return len(self._ranges)

    def followed_by(self, numbers: Iterable[int]) -> "Ranges":
        """Return these and others, which are ascending and above all of these."""
        ranges = list(self._ranges)
        for number in numbers:
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        return Ranges(ranges)

    def without(self, numbers: Iterable[int]) -> "Ranges":
        """Return these but for some, which are ascending and of these."""
        ranges: list[tuple[int, int]] = []
        gaps = iter(numbers)
        gap = next(gaps, None)
        for first, last in self._ranges:
            begin = first
            while gap is not None and gap <= last:
                if begin < gap:
                    ranges.append((begin, gap - 1))
                begin = gap + 1
                gap = next(gaps, None)
            if begin <= last:
                ranges.append((begin, last))
        return Ranges(ranges)
