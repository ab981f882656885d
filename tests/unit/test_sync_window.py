"""The arithmetic of allowances: what is used, what comes back, and when it ends."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline.sdk.budget import MONTH, Allowance, Left, WindowKind, limit_headers, rate_limit_headers
from threadline.sync.window import Window, begun

NOW = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
KINDS: list[WindowKind] = ["fixed", "sliding", "month"]
DAY = timedelta(days=1)
steps = st.lists(st.tuples(st.sampled_from(["take", "wait", "told"]), st.integers(0, 2_000), st.floats(0, 90_000)), max_size=30)


def window(kind: WindowKind = "fixed", calls: int = 100, kept: int = 0, seconds: float = 3_600) -> Window:
    return begun(Allowance("calls", calls, seconds, kind=kind, kept=kept), calls, NOW)


@given(st.sampled_from(KINDS), st.integers(0, 1_000), st.integers(0, 1_000), steps)
def test_whatever_happens_never_more_is_free_than_allowed_and_a_window_holds_its_moment(
    kind: WindowKind, calls: int, kept: int, steps: list[tuple[str, int, float]]
) -> None:
    found, now = window(kind, calls, kept), NOW
    for what, units, seconds in steps:
        now += timedelta(seconds=seconds if what == "wait" else 0)
        before = found = found.at(now)
        assert now < found.until
        if what == "take":
            found = found.taken(min(units, found.free))
            assert found.free == before.free - min(units, before.free)
        elif what == "told":
            found = found.told(Left(units, seconds if seconds >= 1 else None), now)
            assert found.free <= max(0, min(units, calls) - kept)
        assert 0 <= found.free <= max(0, calls - kept)
        assert found.renewed(1, now) > now or found.free >= 1
        assert (end := found.exhausted(now)) is None or end >= now


@given(st.integers(1, 10_000), st.lists(st.floats(0.1, 20_000), max_size=40))
def test_what_slides_out_of_a_window_is_gone_after_its_span_however_often_one_looks(used: int, waits: list[float]) -> None:
    found, now = window("sliding", 10_000, seconds=86_400).taken(used), NOW
    for seconds in waits:
        now += timedelta(seconds=seconds)
        was, found = found.used, found.at(now)
        assert found.used <= was
        # An even wear by the share that is left, which is never faster than the calls can leave.
        assert found.used >= used - ceil(used * ((now - NOW) / DAY))
    assert found.at(now + DAY).used == 0


def test_what_is_looked_at_often_wears_off_as_well() -> None:
    found = window("sliding", 10_000, seconds=86_400).taken(1_000)
    for look in range(0, 86_400, 20):
        found = found.at(NOW + timedelta(seconds=look))
    assert 300 < found.used < 450


def test_a_sliding_window_is_worth_a_try_when_a_share_has_come_back() -> None:
    spent = window("sliding", 5_000, kept=500, seconds=86_400).taken(4_500)
    again = spent.renewed(1, NOW)
    assert timedelta(minutes=20) < again - NOW < timedelta(minutes=40)
    assert spent.at(again).free == pytest.approx(100, abs=1)


def test_a_sliding_window_lasts_unless_the_pace_of_late_outruns_what_comes_back() -> None:
    steady = window("sliding", 5_000, seconds=86_400)
    for hour in range(72):
        steady = steady.at(NOW + timedelta(hours=hour)).taken(100)
    now = NOW + timedelta(hours=72)
    assert steady.at(now).exhausted(now) is None
    hurried = steady.at(now).taken(1_500)
    end = hurried.exhausted(now)
    assert end is not None
    assert end - now < timedelta(hours=12)


def test_a_burst_is_no_pace() -> None:
    burst = window(calls=100).taken(8)
    assert burst.exhausted(NOW + timedelta(seconds=5)) is None
    assert burst.taken(8).exhausted(NOW + timedelta(seconds=5)) == NOW + timedelta(seconds=5 + 84 * 360 / 16)


def test_a_month_begins_where_the_last_one_ended() -> None:
    posts = window("month", 100, seconds=MONTH)
    assert (posts.since, posts.until) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    told = posts.taken(60).told(Left(30, 12 * 86_400), NOW)
    assert (told.since, told.until, told.used) == (datetime(2026, 2, 14, 8, 15, tzinfo=UTC), datetime(2026, 3, 14, 8, 15, tzinfo=UTC), 70)
    later = told.at(datetime(2026, 5, 20, tzinfo=UTC))
    assert (later.since.month, later.until.month, later.used) == (5, 6, 0)
    assert later.since.day == later.until.day == 14


def test_the_vendors_next_window_is_believed_and_its_rounding_is_not() -> None:
    full = window().taken(100)
    assert full.told(Left(99, 3_602), NOW).free == 0
    assert full.told(Left(99, 7_000), NOW).free == 99
    assert full.told(Left(99, None), NOW).free == 0
    assert window().told(Left(40, None), NOW).free == 40
    assert window().told(Left(40, 60), NOW, unmade=15).free == 25


@pytest.mark.parametrize("off", [-86_400, 0, 86_400])
def test_a_reset_is_read_by_the_vendors_clock(off: int) -> None:
    theirs = NOW + timedelta(seconds=off)
    headers = {"x-rate-limit-remaining": "3", "x-rate-limit-limit": "15", "Date": format_datetime(theirs, usegmt=True)}
    reset = {"x-rate-limit-reset": str(int(theirs.timestamp()) + 600)}
    assert rate_limit_headers(headers | reset) == Left(3, 601, 15)


def test_each_limit_is_read_by_its_own_name() -> None:
    headers = {"x-rate-limit": "700", "x-rate-limit-remaining": "650", "x-day-remaining": "0", "x-day-limit": "17", "x-day-reset": "9"}
    assert limit_headers("x-day")(headers) == Left(0, 9, 17)
    assert limit_headers("ratelimit", "x-rate-limit")(headers) == Left(650, None, 700)
    assert limit_headers("x-hour")(headers) is None
