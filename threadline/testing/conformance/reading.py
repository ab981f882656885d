"""Checks of what a pull reads: complete, in pages that can be resumed from, and again."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

from threadline.sdk import Cursor, KeyOrder, Offsets, Page, Stream
from threadline.store.database import Database
from threadline.testing.conformance.trial import ONE_THREAD, NonconformityError, Trial, contents, keys_of, require
from threadline.testing.rig import WaivedError

_SOME = 11
"""Records that fill several small pages, the last one not quite."""
_MORE = 36
"""Records that fill many small pages, the last one to its end."""
_POISON = (3, 4)
"""Records that cannot be used: by the mapping, by the connector."""


def reads_everything(trial: Trial, stream: Stream) -> None:
    """A scan reads every record, each with its key, and ends: also where there is nothing, and where the last page is full."""
    trial.scan(stream)
    made = {trial.rig.put(stream.name, number, trial.at(number)) for number in range(1, _MORE + 1)}
    _expect(stream, trial.scan(stream), made)
    made |= {trial.rig.put(stream.name, number, trial.at(number)) for number in range(_MORE + 1, _MORE + 3)}
    _expect(stream, trial.scan(stream), made)


def reads_what_comes_first(trial: Trial, stream: Stream) -> None:
    """What comes after a scan of nothing is read by the next one."""
    pages = trial.scan(stream)
    made = {trial.rig.put(stream.name, number, trial.just_now(number)) for number in range(1, 4)}
    found = keys_of(stream, trial.scan(stream, _last_cursor(pages)))
    lost = made - set(found)
    require(not lost, f"of the first {len(made)} records that the system ever had, {len(lost)} were not read: the scan before had nothing")


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
    again = keys_of(stream, trial.scan(stream, _last_cursor(pages)))
    require(
        _reads_all(stream) or len(again) < _SOME // 2,
        f"from its last cursor, a scan reads {len(again)} of {_SOME} records again, though none of the last hour has changed: "
        "let `pull` begin where `since` says",
    )


def reads_while_records_change(trial: Trial, stream: Stream) -> None:
    """Records that come, change and go during a scan make it miss none of the others; the next scan has their latest versions."""
    keys = {trial.rig.put(stream.name, number, trial.at(number)): number for number in range(1, _SOME + 1)}
    scan = trial.connect(small=True).pull(stream.name, None)
    first = _first_with_records(scan)
    touched = [keys[key] for key in dict.fromkeys(keys_of(stream, [first])) if key in keys][:2]
    unread = [number for key, number in keys.items() if key not in keys_of(stream, [first])][-1:]
    moved = _hurt(trial, stream, touched, unread)
    pages = [first, *scan]
    lost = {key for key, number in keys.items() if number not in moved} - set(keys_of(stream, pages))
    require(not lost, f"{len(lost)} records that nobody touched were not read, as others came, changed and went during the scan")
    found = _latest(stream, [*pages, *trial.scan(stream, _last_cursor(pages))])
    now = _latest(stream, trial.scan(stream))
    missed, stale = now.keys() - found.keys(), [key for key in now.keys() & found.keys() if now[key] != found[key]]
    require(not missed, f"{len(missed)} records that came or changed during a scan were read neither by it nor by the next one")
    require(not stale, f"{len(stale)} records that changed during a scan are as they were, after the next one")


def _hurt(trial: Trial, stream: Stream, read: Sequence[int], unread: Sequence[int]) -> set[int]:
    """Delete and change records of those read and unread by now, as far as the system has that, and make one; return their numbers."""
    rig, moved = trial.rig, set[int]()
    changed = [] if f"reads changes: {stream.name}" in rig.waivers else [*read[1:2], *unread]
    for number, act in [*((number, rig.delete) for number in read[:1]), *((number, rig.change) for number in changed)]:
        with suppress(WaivedError):
            act(stream.name, number, trial.just_now(len(moved)))
            moved.add(number)
    rig.put(stream.name, _SOME + 1, trial.just_now(len(moved)))
    return moved


def _first_with_records(scan: Iterator[Page]) -> Page:
    for page in scan:
        if page.records:
            return page
    raise NonconformityError("a scan reads nothing, though there are records")


def _latest(stream: Stream, pages: Sequence[Page]) -> dict[str, bytes]:
    """Return each record as it was read last."""
    raws = [raw for page in pages for raw in page.records]
    return dict(zip(keys_of(stream, pages), raws, strict=True))


def _last_cursor(pages: Sequence[Page]) -> Cursor | None:
    return next((page.cursor for page in reversed(pages) if page.cursor is not None), None)


def _reads_all(stream: Stream) -> bool:
    return isinstance(stream.cursor, KeyOrder | Offsets)


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
        require(
            _reads_all(stream) or not more, f"resumed after page {index + 1} of {len(pages)}, the scan reads {more.total()} records again"
        )


def changes_nothing_again(trial: Trial, stream: Stream) -> None:
    """To pull again, when nothing has changed, changes nothing; nor does reading everything again, which reads the same bytes."""
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
    once, twice = (_latest(stream, trial.scan(stream)) for _ in range(2))
    other = [key for key in once if twice.get(key) != once[key]]
    require(
        not other, f"read twice, {len(other)} of {len(once)} records have other bytes, though nothing has changed: write them as they came"
    )


def reads_changes(trial: Trial, stream: Stream) -> None:
    """A record that changes is read by the next pull."""
    keys = [trial.rig.put(stream.name, number, trial.at(number)) for number in range(1, _SOME + 1)]
    store = trial.store()
    trial.pull(store, stream)
    before = _held(store, stream, keys)
    trial.rig.change(stream.name, 2, trial.just_now())
    trial.pull(store, stream)
    after = _held(store, stream, keys)
    require(after[keys[1]] != before[keys[1]], "a record that changed is as it was after the next pull")
    others = [key for key in keys if key != keys[1] and after.get(key) != before[key]]
    require(not others, f"{len(others)} records changed though they were not touched")


def _held(store: Database, stream: Stream, keys: Sequence[str]) -> dict[str, tuple[str, bytes | None]]:
    """Return what the store holds, with all of the keys."""
    found = contents(store, stream)
    require(not (lost := set(keys) - found.keys()), f"after a pull, {len(lost)} of {len(keys)} records are not in the store")
    return found


def reads_late_commits(trial: Trial, stream: Stream) -> None:
    """What becomes visible after a scan, with a time before the scan's end, is read by the next pull; also beside what was read."""
    moment = trial.just_now()
    trial.rig.put(stream.name, 1, moment)
    store = trial.store()
    trial.pull(store, stream)
    late = {trial.rig.put(stream.name, 2, moment - timedelta(seconds=1)), trial.rig.put(stream.name, 3, moment)}
    trial.pull(store, stream)
    lost = late - contents(store, stream).keys()
    require(
        not lost,
        f"{len(lost)} of {len(late)} records that became visible after a scan, with times up to that of the last record before, were never "
        "read: let scans overlap, and end at the source's clock and not at the last record",
    )


def tells_of_deletes(trial: Trial, stream: Stream) -> None:
    """A record that is deleted is told of: by the next pull where the system tells of it there, or by a sweep (`threadline reconcile`)."""
    from threadline.sync.reconcile import reconcile

    keys = [trial.rig.put(stream.name, number, trial.at(number)) for number in range(1, 6)]
    store = trial.store()
    trial.pull(store, stream)
    before = _held(store, stream, keys)
    trial.rig.delete(stream.name, 2, trial.just_now())
    trial.pull(store, stream)
    if contents(store, stream)[keys[1]] == before[keys[1]]:
        told = stream.name in trial.rig.tell_of_deletes
        require(not told, "a deleted record is as it was after the next pull, though the system tells of it beside what has changed")
        connector = trial.connect()
        reconcile(store, connector, trial.judge(connector, stream), stream, remove=True, policy=ONE_THREAD)
    after = contents(store, stream)
    require(after[keys[1]] != before[keys[1]], "a deleted record is as it was, after a pull and after a sweep")
    others = [key for key in keys if key != keys[1] and after.get(key) != before[key]]
    require(not others, f"{len(others)} records changed though another one was deleted")


def sets_poison_aside(trial: Trial, stream: Stream) -> None:
    """Records that cannot be used become dead letters, each with its bytes; the others land, and the next pull goes on."""
    good: list[str] = []
    for number in range(1, 7):
        made = (trial.rig.spoil if number in _POISON else trial.rig.put)(stream.name, number, trial.at(number))
        good += [made] if number not in _POISON else []
    store = trial.store()
    ledger = trial.pull(store, stream)
    held = contents(store, stream)
    lost = [key for key in good if held.get(key, ("", None))[0] != "ok"]
    require(not lost, f"beside {len(_POISON)} records that cannot be used, {len(lost)} of {len(good)} good ones did not land")
    require(ledger.dead >= len(_POISON), f"of {len(_POISON)} records that cannot be used, {ledger.dead} became dead letters")
    after = trial.rig.put(stream.name, _SOME + 1, trial.just_now())
    trial.pull(store, stream)
    require(after in contents(store, stream), "what came after records that cannot be used was not read")
