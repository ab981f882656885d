"""Stops a stream whose records mostly cannot be used, before they fill the dead letters and the cursor passes them."""

from collections import Counter, deque
from collections.abc import Sequence

from threadline.sdk.errors import ConfigError
from threadline.sync.batch import Letter, Verdict
from threadline.sync.policy import Policy


class BreakerError(ConfigError):
    """Too many records could not be used: the stream is paused where it stood."""


class Breaker:
    """Watches the share of dead records among the latest that were judged."""

    def __init__(self, source: str, stream: str, policy: Policy, *, full: bool = False) -> None:
        """Watch one run; `full` says that it reads more than what follows the stream's cursor."""
        self._source = source
        self._stream = stream
        self._resume = f"threadline pull {source} --stream {stream} {'--full ' if full else ''}--resume"
        self._share = policy.breaker_percent / 100
        self._of = policy.breaker_of
        self._batches: deque[tuple[int, int]] = deque()

    def look(self, verdict: Verdict) -> None:
        """Take a batch into account; BreakerError when it must not be stored."""
        # What is dead already says nothing new, however often a source lists it.
        letters = [letter for letter in verdict.letters if not verdict.is_dead_already(letter.record)]
        judged = len(verdict.mapped) + len(verdict.same) + len(verdict.filtered) + len(letters)
        self._batches.append((judged, len(letters)))
        while sum(count for count, _ in self._batches) - self._batches[0][0] >= self._of:
            self._batches.popleft()
        total, dead = (sum(column) for column in zip(*self._batches, strict=True))
        if letters and total >= self._of and dead > total * self._share:
            raise BreakerError(self._message(total, dead, letters))

    def _message(self, total: int, dead: int, letters: Sequence[Letter]) -> str:
        reasons = Counter((letter.path, letter.reason.partition(";")[0], letter.site) for letter in letters)
        (path, reason, site), count = reasons.most_common(1)[0]
        example = next(letter.record.key for letter in letters if letter.site == site)
        place = f" ({site})" if site else ""
        return (
            f"{self._source}.{self._stream} is paused: {dead} of the last {total} records could not be used, {count} of them for this: "
            f"{path}: {reason}{place}, such as record {example}. Nothing of this batch is stored, and the cursor stays. "
            f"Correct the mapping or the source and pull again; or take such records as dead letters: {self._resume}"
        )


__all__ = ["Breaker", "BreakerError"]
