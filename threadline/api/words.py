"""Times, amounts and lists as people read them."""

from collections.abc import Sequence
from datetime import UTC, datetime

_SPELLED = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400

CHANNELS = {
    "voice": "Phone", "ivr": "Phone menu", "email": "E-mail", "sms": "Text message", "chat": "Chat", "social": "Social",
    "forum": "Forum", "web": "Web", "mobile_app": "App", "click_to_call": "Phone", "remote_assist": "Remote assistance",
    "in_person": "In person", "letter": "Letter", "survey": "Survey", "api": "API", "other": "Other",
}  # fmt: skip


def duration(seconds: float) -> str:
    """Write seconds in the units that matter: 6 s, 40 min, 2 h 14 min, 3 days."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        minutes = whole % _HOUR // _MINUTE
        return f"{whole // _HOUR} h {minutes} min" if minutes else f"{whole // _HOUR} h"
    return f"{whole // _DAY} days"


def number(value: int) -> str:
    """Write 11884 as 11,884."""
    return f"{value:,}"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """Write "1 case" or "3 cases"."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def spelled(value: int) -> str:
    """Begin a sentence with a number: in letters up to twelve."""
    return _SPELLED[value] if value < len(_SPELLED) else number(value)


def listed(names: Sequence[str]) -> str:
    """Write "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def moment(at: datetime) -> str:
    """Write a time in UTC to the minute: Wed 18 Nov 2026 14:40."""
    return f"{at.astimezone(UTC):%a} {day(at)} {at.astimezone(UTC):%H:%M}"


def day(at: datetime) -> str:
    """Write a day in UTC: 18 Nov 2026."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y}"


def clock(at: datetime) -> str:
    """Write a time of day in UTC: 02:14."""
    return f"{at.astimezone(UTC):%H:%M}"


def machine(at: datetime) -> str:
    """Write a time for the datetime attribute of HTML: 2026-11-18T14:40:00Z."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def channel(name: str) -> str:
    """Name a channel of the model to people."""
    return CHANNELS.get(name, name)


def state(name: str) -> str:
    """Write in_progress as "In progress"."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
