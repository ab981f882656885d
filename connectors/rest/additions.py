"""What records are given besides what the API says, or lose, so that mapping files need not know each API's ways."""

from collections.abc import Sequence
from typing import Any

from connectors.rest.declaration import Pairs, StreamFile
from connectors.rest.documents import Fields, with_fields, without_fields
from connectors.rest.paths import look_up
from threadline.sdk import DELETED
from threadline.sdk.yamlfile import is_list


class Additions:
    """Marks deleted records, makes objects of arrays of names and values, and takes fields up from deeper inside."""

    def __init__(self, stream: StreamFile) -> None:
        self._deleted = dict(stream.deleted or {})
        self._pairs = stream.pairs
        self._taken = stream.add
        self._fields = Fields((*self._deleted, *(pairs.at for pairs in self._pairs.values()), *self._taken.values()))
        self._volatile = stream.volatile
        self._any = bool(self._deleted or self._pairs or self._taken)

    def made(self, records: Sequence[bytes]) -> Sequence[bytes]:
        """Return the records with their additions, and without what differs with each read."""
        if self._volatile:
            records = [without_fields(record, self._volatile) for record in records]
        return [with_fields(record, self._of(record)) for record in records] if self._any else records

    def _of(self, record: bytes) -> dict[str, Any]:
        values = iter(self._fields.read(record))
        # Of all marks, also those behind the first that fits: each of them has its value.
        marks = [_fits(next(values), wanted) for wanted in self._deleted.values()]
        made = {name: _object(next(values), pairs) for name, pairs in self._pairs.items()}
        taken = {name: value for name in self._taken if (value := next(values)) is not None}
        return {**({DELETED: True} if any(marks) else {}), **made, **taken}


def is_deleted(record: Any, stream: StreamFile) -> bool:
    """Whether a record has the mark of a deleted one."""
    return any(_fits(look_up(record, path), wanted) for path, wanted in (stream.deleted or {}).items())


def _fits(value: Any, wanted: Any) -> bool:
    if wanted == "*":
        return value is not None
    # In JSON, 1 is not true.
    return any(value == each and type(value) is type(each) for each in (wanted if is_list(wanted) else [wanted]))


def _object(array: Any, pairs: Pairs) -> dict[str, Any]:
    elements = array if is_list(array) else []
    return {str(name): look_up(each, pairs.value) for each in elements if (name := look_up(each, pairs.name)) is not None}
