"""Rows of a query job's CSV as the records that a query would have answered, byte for byte where that is known.

So a record is the same one, whichever way it came. The CSV writes nothing for null, all values as text, and times with Z.
https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_get_job_results.htm
"""

import csv
import re
from collections.abc import Mapping
from io import StringIO

import msgspec

from threadline.sdk import JSON, RetryableError, encode_record

_NUMBERS = frozenset({"currency", "double", "int", "long", "percent"})
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


def read_rows(body: bytes, sobject: str, types: Mapping[str, str], version: str) -> list[bytes]:
    """Return the rows of a CSV with a heading; `types` are the fields' types by lower-case name."""
    try:
        # Jobs have been seen to put NUL bytes between values, which are in no record.
        lines = csv.reader(StringIO(body.replace(b"\0", b"").decode(), newline=""), strict=True)
        names = next(lines, None) or []
        columns = [(name, types[name.lower()]) for name in names]
        records = [_record(columns, row, sobject, version) for row in lines]
    except KeyError as error:
        raise RetryableError(f"the query job's results have a column that was not asked for: {error}") from None
    except (csv.Error, ValueError) as error:
        raise RetryableError(f"the query job's results are not the expected CSV: {error}") from None
    if "Id" not in names:
        raise RetryableError("the query job's results have no heading")
    return records


def _record(columns: list[tuple[str, str]], row: list[str], sobject: str, version: str) -> bytes:
    values = {name: _value(kind, text) for (name, kind), text in zip(columns, row, strict=True)}
    url = f"/services/data/v{version}/sobjects/{sobject}/{values.get('Id')}"
    return encode_record({"attributes": {"type": sobject, "url": url}, **values})


def _value(kind: str, text: str) -> JSON:
    if not text:
        return None
    if kind == "boolean":
        return text == "true"
    if kind == "datetime":
        return f"{text.removesuffix('Z')}+0000" if text.endswith("Z") else text
    # As it is written: a float would be written otherwise.
    return msgspec.Raw(text.encode()) if kind in _NUMBERS and _NUMBER.fullmatch(text) else text
