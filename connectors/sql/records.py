"""Rows as JSON records."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from sqlalchemy import types

from connectors.sql.relations import Relation
from connectors.sql.values import converter, text_bytes
from threadline.sdk import RecordError, Rejected, encode_record


class Records:
    """Writes a relation's rows as JSON; a row that has no such form is rejected with what it holds."""

    def __init__(self, relation: Relation, zone: tzinfo) -> None:
        self._relation = relation
        self.zone = zone
        self._names = tuple(relation.columns)
        self._converters = {name: converter(relation.type_of(name), self.zone_of(name)) for name in self._names}

    def zone_of(self, name: str) -> tzinfo:
        """Return the zone of a column's naive times: MySQL's TIMESTAMP comes in the session's, which is UTC."""
        instant = self._relation.dialect in ("mysql", "mariadb") and isinstance(self._relation.type_of(name), types.TIMESTAMP)
        return UTC if instant else self.zone

    def write(self, row: Sequence[Any]) -> bytes | Rejected:
        """Return the row's record, or what is wrong with it."""
        try:
            return encode_record({name: convert(value) for (name, convert), value in zip(self._converters.items(), row, strict=True)})
        except RecordError as error:
            reason = str(error)
        except UnicodeEncodeError:
            reason = "a text is not valid UTF-8; correct it in the database"
        return self.reject(dict(zip(self._names, row, strict=True)), reason)

    def reject(self, row: Mapping[str, Any], reason: str) -> Rejected:
        """Keep a row as JSON in which texts have the database's own bytes, be they UTF-8 or not."""
        raw = text_bytes(json.dumps(row, default=str, ensure_ascii=False))
        key = ":".join(self._key_text(name, row.get(name)) for name in self._relation.key)
        return Rejected(key.encode("utf-8", "backslashreplace").decode(), raw, reason)

    def _key_text(self, name: str, value: Any) -> str:
        try:
            written = self._converters[name](value)
        except RecordError:
            return str(value)
        return written if isinstance(written, str) else encode_record(written).decode().strip('"')
