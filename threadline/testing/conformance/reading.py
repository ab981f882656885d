"""Checks of what a pull reads: complete, in pages that can be resumed from, and again."""

import gc
import json
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from threadline.sdk import KeyOrder, Offsets, Page, Stream
from threadline.testing.conformance.trial import ONE_THREAD, Trial, contents, keys_of, require

_SOME = 11
"""Records that fill several small pages."""
_WITHIN = 3_000
"""Seconds that their times are spread over: none is of a time to come."""
_ROOM = 8_000_000
"""Bytes that memory may grow by, while many records pass."""


def reads_everything(trial: Trial, stream: Stream) -> None:
    """A scan reads every record, each with its key, and ends."""
    made = {trial.rig.put(stream.name, number, trial.at(number)) for number in range(1, _SOME + 1)}
    _expect(stream, trial.scan(stream), made)


def reads_each_once(trial: Trial, stream: Stream) -> None:
    """A scan reads no record twice."""
    for number in range(1, _SOME + 1):
        trial.rig.put(stream.name, number, trial.at(1 + number // 4))
    again = [key for key, times in Counter(keys_of(stream, trial.scan(stream))).items() if times > 1]
    require(not again, f"{len(again)} of {_SOME} records were read more than once in a scan")


def reads_one_moment(trial: Trial, stream: Stream) -> None:
    """Records that changed at the same moment are all read, also where they fill several pages; so it is after each page."""
    made = {trial.rig.put(stream.name, number, trial.at(1)) for number in range(1, _SOME + 1)}
    pages = trial.scan(stream)
    _expect(stream, pages, made)
    _resume_from_each(trial, stream, pages)


def resumes(trial: Trial, stream: Stream) -> None:
    """From the cursor of any page, a scan reads exactly what followed that page; kinds that read all each time do so after that."""
    for number in range(1, _SOME + 1):
        trial.rig.put(stream.name, number, trial.at(number))
    pages = trial.scan(stream)
    require(len(pages) > 1, f"{_SOME} records come in one page: let the rig's `small_pages` make pages smaller")
    _resume_from_each(trial, stream, pages)


def _expect(stream: Stream, pages: Sequence[Page], made: set[str]) -> None:
    lost = made - set(keys_of(stream, pages))
    require(not lost, f"{len(lost)} of {len(made)} records were not read")
    for page in pages:
        json.dumps(page.cursor)
    require(any(page.cursor is not None for page in pages), "no page has a cursor: every run would begin anew")


def _resume_from_each(trial: Trial, stream: Stream, pages: Sequence[Page]) -> None:
    for index, page in enumerate(pages[:-1]):
        if page.cursor is None:
            continue
        expected = Counter(keys_of(stream, pages[index + 1 :]))
        rest = Counter(keys_of(stream, trial.scan(stream, page.cursor)))
        lost, more = expected - rest, rest - expected
        require(not lost, f"resumed after page {index + 1} of {len(pages)}, the scan misses {lost.total()} of {expected.total()} records")
        whole = isinstance(stream.cursor, KeyOrder | Offsets)
        require(whole or not more, f"resumed after page {index + 1} of {len(pages)}, the scan reads {more.total()} records again")


def changes_nothing_again(trial: Trial, stream: Stream) -> None:
    """To pull again, when nothing has changed, changes nothing; nor does reading everything again."""
    for number in range(1, _SOME + 1):
        trial.rig.put(stream.name, number, trial.at(number))
    store = trial.store()
    first = trial.pull(store, stream)
    require(first.new > 0, f"of {first.read} records none could be used: does the mapping fit what the stand-in sends?")
    before = contents(store, stream)
    for _ in range(2):
        ledger = trial.pull(store, stream)
        require(ledger.new == ledger.changed == 0, f"pulled again, {ledger.new} records count as new and {ledger.changed} as changed")
    require(contents(store, stream) == before, "pulled again, the store holds something else")


def reads_changes(trial: Trial, stream: Stream) -> None:
    """A record that changes is read by the next pull."""
    keys = [trial.rig.put(stream.name, number, trial.at(number)) for number in range(1, _SOME + 1)]
    store = trial.store()
    trial.pull(store, stream)
    before = contents(store, stream)
    trial.rig.change(stream.name, 2, trial.just_now())
    trial.pull(store, stream)
    after = contents(store, stream)
    require(after[keys[1]] != before[keys[1]], "a record that changed is as it was after the next pull")
    others = [key for key in keys if key != keys[1] and after.get(key) != before[key]]
    require(not others, f"{len(others)} records changed though they were not touched")


def reads_late_commits(trial: Trial, stream: Stream) -> None:
    """What becomes visible after a scan, with a time before the scan's end, is read by the next pull."""
    trial.rig.put(stream.name, 1, trial.at(1))
    store = trial.store()
    trial.pull(store, stream)
    with store.read() as view:
        moment = view.now().replace(microsecond=0) - timedelta(seconds=2)
    late = trial.rig.put(stream.name, 2, moment)
    trial.pull(store, stream)
    require(late in contents(store, stream), "a record that became visible after the scan, dated 2 s before its end, was never read")


def tells_of_deletes(trial: Trial, stream: Stream) -> None:
    """A record that is deleted is told of: by the next pull, or by a sweep (`threadline reconcile`)."""
    from threadline.sync.reconcile import reconcile

    keys = [trial.rig.put(stream.name, number, trial.at(number)) for number in range(1, 6)]
    store = trial.store()
    trial.pull(store, stream)
    before = contents(store, stream)
    trial.rig.delete(stream.name, 2, trial.just_now())
    trial.pull(store, stream)
    if contents(store, stream)[keys[1]] == before[keys[1]]:
        connector = trial.connect()
        reconcile(store, connector, trial.judge(connector, stream), stream, remove=True, policy=ONE_THREAD)
    after = contents(store, stream)
    require(after[keys[1]] != before[keys[1]], "a deleted record is as it was, after a pull and after a sweep")
    others = [key for key in keys if key != keys[1] and after.get(key) != before[key]]
    require(not others, f"{len(others)} records changed though another one was deleted")


def sets_poison_aside(trial: Trial, stream: Stream) -> None:
    """A record that cannot be used becomes a dead letter; the others land."""
    good = [trial.rig.put(stream.name, number, trial.at(number)) for number in (1, 2)]
    trial.rig.spoil(stream.name, 3, trial.at(3))
    good += [trial.rig.put(stream.name, number, trial.at(number)) for number in (4, 5)]
    store = trial.store()
    ledger = trial.pull(store, stream)
    held = contents(store, stream)
    lost = [key for key in good if held.get(key, ("", None))[0] != "ok"]
    require(not lost, f"beside a record that cannot be used, {len(lost)} of {len(good)} good ones did not land")
    require(ledger.dead >= 1, "a record that cannot be used left no dead letter")


def keeps_memory_flat(trial: Trial, stream: Stream) -> None:
    """Many records pass through without memory growing with their number."""
    many = trial.rig.many
    for number in range(1, many + 1):
        trial.rig.put(stream.name, number, trial.at(number * _WITHIN // many))
    read, peak = 0, 0
    tracemalloc.start()
    try:
        for page in trial.connect().pull(stream.name, None):
            read += len(page.records)
            if read < many // 4:
                gc.collect()
                peak = tracemalloc.get_traced_memory()[1]
        highest = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    require(read >= many, f"of {many:,} records {read:,} were read")
    grown = highest - peak
    require(grown < _ROOM, f"after a quarter of {many:,} records memory grew by another {grown / 1e6:.0f} MB")
