"""Checks of what a push writes: a receipt for each intent, and each intent once."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from threadline.sdk import ConfigError, Intent, Receipt, RetryableError
from threadline.testing.conformance.access import PATIENCE, require_patience
from threadline.testing.conformance.trial import Trial, a_moment, require

_ATTEMPTS = 8
_REFUSED = (9, 10)
"""Intents that the system refuses: alone, and with all that is in the same call."""
_SETTLED = ("done", "dead")


def intents(trial: Trial, object_name: str, first: int, count: int) -> list[Intent]:
    """Make intents of these numbers; the ids are those of the numbers."""
    payloads = {number: trial.rig.payload(object_name, number) for number in range(first, first + count)}
    return [Intent(f"trial-{object_name}-{number:06}", object_name, payload) for number, payload in payloads.items()]


def push_until_settled(trial: Trial, object_name: str, given: Sequence[Intent]) -> dict[str, Receipt]:
    """Push as the engine does: what has no receipt, or one that leaves it open, is handed in again with a higher attempt."""
    receipts: dict[str, Receipt] = {intent.id: Receipt(intent.id, "unknown") for intent in given}
    for more in range(_ATTEMPTS):
        open_ones = [intent for intent in given if receipts[intent.id].status not in _SETTLED]
        if not open_ones:
            break
        receipts |= _push(trial, object_name, [Intent(one.id, one.object, one.payload, one.attempt + more) for one in open_ones])
    return receipts


def _push(trial: Trial, object_name: str, given: Sequence[Intent]) -> dict[str, Receipt]:
    """Push once; what has no receipt when the call ends with an error is left open."""
    receipts: dict[str, Receipt] = {}
    with suppress(ConfigError, RetryableError):
        return _pushed(trial, object_name, given, receipts)
    a_moment()
    return receipts


def _pushed(trial: Trial, object_name: str, given: Sequence[Intent], receipts: dict[str, Receipt]) -> dict[str, Receipt]:
    for receipt in trial.target().push(object_name, given):
        require(receipt.intent in {intent.id for intent in given}, f"a receipt is for {receipt.intent!r}, which was not handed in")
        require(receipt.intent not in receipts, f"{receipt.intent} has two receipts")
        receipts[receipt.intent] = receipt
    require(len(receipts) == len(given), f"of {len(given)} intents {len(receipts)} have a receipt")
    return receipts


def writes_each(trial: Trial, object_name: str) -> None:
    """Every intent is written once, and has a receipt that says so."""
    given = intents(trial, object_name, 1, 5)
    receipts = _push(trial, object_name, given)
    for number, intent in enumerate(given, 1):
        receipt = receipts[intent.id]
        require(receipt.status == "done", f"intent {number} of {len(given)} is {receipt.status}: {receipt.reason}")
        require((times := trial.rig.written(object_name, number)) == 1, f"the system holds intent {number} of {len(given)} {times} times")
    _expect_own_ids(receipts)


def _expect_own_ids(receipts: Mapping[str, Receipt]) -> None:
    ids = [receipt.remote_id for receipt in receipts.values() if receipt.remote_id is not None]
    require(len(ids) == len(set(ids)), "two receipts name the same remote id, though their intents made two things")


def writes_within_limits(trial: Trial, object_name: str) -> None:
    """Above the rate limit a push waits as long as it is asked to, or leaves the rest to a later run; nothing is dead, or there twice."""
    given, receipts = intents(trial, object_name, 1, 3), dict[str, Receipt]()
    trial.waits.clear()
    trial.rig.limit(PATIENCE)
    try:
        _pushed(trial, object_name, given, receipts)
    except RetryableError as error:
        require_patience(trial, error)
    else:
        if all(receipt.status in _SETTLED for receipt in receipts.values()):
            require_patience(trial, None)
    left = [
        Intent(one.id, one.object, one.payload, 2) for one in given if one.id not in receipts or receipts[one.id].status not in _SETTLED
    ]
    receipts |= push_until_settled(trial, object_name, left)
    for number, intent in enumerate(given, 1):
        receipt, times = receipts[intent.id], trial.rig.written(object_name, number)
        require(receipt.status == "done", f"after a rate limit, an intent is {receipt.status}: {receipt.reason}")
        require(times == 1, f"after a rate limit, an intent is there {times} times")


def answers_for_each(trial: Trial, object_name: str) -> None:
    """What the system refuses is dead, with a reason; the intents beside it are written. So it is where it refuses the whole call."""
    good = intents(trial, object_name, 1, 4)
    bad = [Intent(f"trial-{object_name}-bad{number}", object_name, trial.rig.refused(object_name, number)) for number in _REFUSED]
    receipts = push_until_settled(trial, object_name, [good[0], bad[0], *good[1:], bad[1]])
    for refused in (receipts[one.id] for one in bad):
        require(refused.status == "dead", f"what the system refuses is {refused.status}, not dead: {refused.reason}")
        require(bool(refused.reason), "the receipt of what the system refuses gives no reason")
    for number, intent in enumerate(good, 1):
        receipt, times = receipts[intent.id], trial.rig.written(object_name, number)
        require(receipt.status == "done", f"beside an intent that is refused, a good one is {receipt.status}: {receipt.reason}")
        require(times == 1, f"beside an intent that is refused, a good one is there {times} times")


def writes_once_when_asked_again(trial: Trial, object_name: str) -> None:
    """The same intents handed in once more, because nobody knows what became of them, are written once."""
    given = intents(trial, object_name, 1, 3)
    _push(trial, object_name, given)
    again = [Intent(intent.id, intent.object, intent.payload, attempt=2) for intent in given]
    receipts = push_until_settled(trial, object_name, again)
    for number, intent in enumerate(given, 1):
        require((times := trial.rig.written(object_name, number)) == 1, f"handed in twice, intent {number} is there {times} times")
        require(receipts[intent.id].status == "done", f"handed in again, an intent that is there is {receipts[intent.id].status}")
