"""Words, drawings, tasks and lanes: what the templates only write down."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest

from tests.unit.pages_fixture import NOW, busy, calm, exchange, mara, stream
from threadline.api import words
from threadline.api.charts import Equation, Part, spark
from threadline.api.customer_page import LANES, customer_page, lane_of
from threadline.api.tasks import tasks
from threadline.model.entities import Channel
from threadline.sync.health import Health, MatchingHealth


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (2410, "40 min"), (3600, "1 h"), (8040, "2 h 14 min"),
        (172_799, "47 h 59 min"), (172_800, "2 days"),
    ],
)  # fmt: skip
def test_durations(seconds, text):
    assert words.duration(seconds) == text


def test_lists_and_numbers():
    assert [words.listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [words.spelled(value) for value in (1, 12, 13, 1300)] == ["One", "Twelve", "13", "1,300"]
    assert [words.count(value, "entry", "entries") for value in (0, 1, 1200)] == ["0 entries", "1 entry", "1,200 entries"]


def test_times_are_written_in_utc():
    at = datetime(2026, 11, 19, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert words.moment(at) == "Wed 18 Nov 2026 23:30"
    assert words.machine(at) == "2026-11-18T23:30:00Z"


def test_every_channel_has_a_name_and_a_lane():
    entry = exchange().entries[1]
    assert set(words.CHANNELS) == set(get_args(Channel))
    lanes = {channel: lane_of(replace(entry, channel=channel)) for channel in get_args(Channel)}
    assert set(lanes.values()) == {"email", "social", "chat", "voice", "ticket"}
    assert (lanes["web"], lanes["sms"], lanes["click_to_call"]) == ("ticket", "chat", "voice")
    assert lane_of(replace(entry, channel=None)) == "ticket"
    assert (lane_of(replace(entry, kind="case")), lane_of(replace(entry, kind="order"))) == ("ticket", "order")
    assert set(LANES) == {*lanes.values(), "order"}


@pytest.mark.parametrize("channel", get_args(Channel))
def test_every_channel_is_told_in_words(channel):
    entry = replace(exchange().entries[1], channel=channel)
    page = customer_page(replace(mara(), threads=(replace(exchange(), entries=(entry,)),)), None)
    assert page
    assert page.knots[0].did
    assert page.lanes == (lane_of(entry),)


@pytest.mark.parametrize(("direction", "who"), [("inbound", "The customer"), ("outbound", "The company"), (None, "Somebody")])
def test_an_author_who_is_not_known(direction, who):
    entry = replace(exchange().entries[1], author=None, direction=direction)
    page = customer_page(replace(mara(), threads=(replace(exchange(), entries=(entry,)),)), None)
    assert page
    assert page.knots[0].who == who


@pytest.mark.parametrize("text", ["x" * 5000, "\n".join("line" for _ in range(100)), "a " * 2000, " \n\n short \n", ""])
def test_no_word_is_lost_by_cutting(text):
    entry = replace(exchange().entries[1], text=text)
    page = customer_page(replace(mara(), threads=(replace(exchange(), entries=(entry,)),)), None)
    assert page
    knot = page.knots[0]
    assert "".join((knot.lead + knot.rest).split()) == "".join(text.split())
    assert len(knot.lead) <= 700
    assert knot.lead.count("\n") < 12


def test_a_spark_touches_top_and_bottom():
    drawn = spark([0, 5, 10])
    assert drawn
    assert drawn.line == "M0.0,24.0 52.0,13.5 104.0,3.0"
    assert drawn.end == 3.0
    assert drawn.about == "between 0 and 10 a minute, now 10"
    assert spark([0, 0]) is not None
    assert spark([1]) is None


def test_a_bar_is_to_scale_and_shows_a_gap():
    parts = (Part("New", "l-new", 25), Part("Same", "l-same", 75), Part("Dead", "l-dead", 0))
    assert [(segment.role, segment.start, segment.width) for segment in Equation("Read", 100, parts).segments] == [
        ("l-new", 0.0, 25.0),
        ("l-same", 25.0, 75.0),
    ]
    assert Equation("Read", 101, parts).segments[-1].role == "gap"
    assert Equation("Read", 101, parts).segments[-1].width == 4.0
    assert Equation("Read", 90, parts).gap == -10
    assert Equation("Read", 0, ()).segments == ()


def test_one_cause_is_one_task():
    found = [task.title for task in tasks(busy())]
    assert len(found) == 7
    other = stream("helpdesk.groups", "failed", None, [], (0, 0, 0, 0, 0, 0), error="another error")
    assert len(tasks(replace(busy(), streams=(*busy().streams, other)))) == 8


def test_a_stream_that_never_synced_says_so():
    failed = stream("shop.orders", "failed", None, [], (0, 0, 0, 0, 0, 0), error="refused", failed_at=NOW)
    task = tasks(Health(as_of=NOW, streams=(failed,), targets=(), problems=()))[0]
    assert task.title == "shop.orders stopped: no good sync yet. Correct the cause, then pull again."
    assert task.safe.startswith("Last tried at 02:14 UTC.")
    assert (task.command, task.said) == ("threadline pull shop --stream orders", "refused")


def test_many_late_streams_are_one_task():
    late = tuple(stream(f"shop.s{number}", "late", 900.0 + number, [], (0, 0, 0, 0, 0, 0)) for number in range(5))
    (task,) = tasks(Health(as_of=NOW, streams=late, targets=(), problems=()))
    assert task.title.startswith("shop.s0, shop.s1, shop.s2 and 2 more are late: no good sync for 15 min.")


def test_matching_that_is_late_is_a_task():
    matching = MatchingHealth(schedule="@daily", state="late", learned=NOW, lag=260_000.0, joined=3, review=0)
    (task,) = tasks(Health(as_of=NOW, streams=(), targets=(), problems=(), matching=matching))
    assert task.title == "Matching is late: it learned 3 days ago. See how threadline_match ended, or match by hand."
    assert task.command == "threadline identity match"


def test_one_dead_letter_is_counted_in_the_singular():
    one = stream("shop.orders", "fresh", 1, [], (1, 0, 0, 0, 0, 1))
    (task,) = tasks(Health(as_of=NOW, streams=(one,), targets=(), problems=()))
    assert task.title == "1 record of shop.orders could not be used. See why, correct the mapping, then replay."
    assert task.safe == "Each is kept as it was read, and blocks no other."


def test_nothing_to_do_is_no_task():
    assert tasks(calm()) == ()
    assert NOW.tzinfo is UTC


@pytest.mark.parametrize(
    ("changes", "who", "did", "aside", "lane"),
    [
        ({"kind": "status", "state": "in_progress", "author": "Tom"}, "Tom", "moved case 35 to in progress", "helpdesk", "ticket"),
        ({"kind": "status", "state": "resolved", "author": None}, None, "Case 35 moved to resolved", "helpdesk", "ticket"),
        ({"kind": "feedback", "state": "4 on a scale from 1 to 5", "author": "Mara"}, "Mara", "rated the service",
         "4 on a scale from 1 to 5 · helpdesk", "ticket"),
        ({"kind": "feedback", "state": None, "author": None, "channel": "chat"}, "The customer", "rated the service", "helpdesk", "chat"),
    ],
)  # fmt: skip
def test_steps_of_cases_and_ratings_are_told_in_words(changes, who, did, aside, lane):
    plain = {"source": "helpdesk", "external_id": "35", "title": None, "channel": "survey", "direction": "inbound", "visibility": None}
    entry = replace(exchange().entries[1], **{**plain, **changes})
    page = customer_page(replace(mara(), threads=(replace(exchange(), entries=(entry,)),)), None)
    assert page
    (knot,) = page.knots
    assert (knot.who, knot.did, knot.aside, knot.lane) == (who, did, aside, lane)
