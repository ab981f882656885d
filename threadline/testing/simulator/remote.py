"""A receiver of pushes that loses answers, takes its time and is busy, and remembers every effect."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Literal

from threadline.sdk import Intent, PushObject, Receipt, RetryableError

Answer = Literal["done", "answer lost", "cut off", "timeout", "busy"]
_ANSWERS: tuple[Answer, ...] = ("done", "answer lost", "cut off", "timeout", "busy")


class Remote:
    """What it was made to do: `effects` counts the writes of each intent, `states` holds the last payload of each object id."""

    def __init__(self, random: Random) -> None:
        self.faulty = True
        self.effects: Counter[str] = Counter()
        self.states: dict[str, dict[str, Any]] = {}
        self._random = random

    def push(self, item: PushObject, intents: Sequence[Intent], step: Callable[[str], None]) -> Iterator[Receipt]:
        """Take intents as a connector hands them on."""
        for intent in intents:
            step(f"send {item.name}")
            if item.repeat == "marker" and intent.attempt > 1 and self.effects[intent.id]:
                yield Receipt(intent.id, "done", intent.id, "found by its marker")
                continue
            receipt = self._take(item, intent)
            step(f"sent {item.name}: {receipt.status}")
            yield receipt

    def _take(self, item: PushObject, intent: Intent) -> Receipt:
        answer = self._random.choices(_ANSWERS, (60, 12, 8, 12, 8))[0] if self.faulty else "done"
        if answer == "busy":
            return Receipt(intent.id, "retry", None, "busy")
        if answer == "timeout":
            return Receipt(intent.id, "unknown", None, "no answer in time")
        if item.repeat != "key" or not self.effects[intent.id]:
            self.effects[intent.id] += 1
            self.states[str(intent.payload["id"])] = dict(intent.payload)
        if answer == "cut off":
            raise RetryableError("the connection was cut off")
        return Receipt(intent.id, "unknown" if answer == "answer lost" else "done", intent.id)
