"""Values as old systems write them: what mapping files may `call`."""

from datetime import date
from typing import Any


def date_of_digits(value: Any) -> str | None:
    """Return the date that digits say, YYYYMMDD, be they a text or a number; None for nothing but zeros or nines, which stand for none."""
    digits = str(value).strip().replace("-", "")
    if not digits.strip("0") or not digits.strip("9"):
        return None
    if len(digits) != len("20260102") or not (digits.isascii() and digits.isdigit()):
        raise ValueError("expected a date of eight digits, such as 20260102")
    return date.fromisoformat(digits).isoformat()
