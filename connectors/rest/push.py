"""Writing: create, update, or whichever `find` says; one by one, or many in one call with a result for each."""

from collections.abc import Iterator, Sequence
from typing import Any

from connectors.rest.client import Client
from connectors.rest.cutting import Body, Cut
from connectors.rest.declaration import Batch, Call, Find, ObjectFile, StreamFile
from connectors.rest.documents import decoded
from connectors.rest.errors import DoneError, NotTakenError, RefusalError
from connectors.rest.pager import Answer
from connectors.rest.paging import make_pager
from connectors.rest.paths import look_up
from connectors.rest.request import request_of
from connectors.rest.template import Values, plain
from threadline.sdk import Intent, PushObject, Receipt, RecordError, RetryableError
from threadline.sdk.yamlfile import is_list

_AT_ONCE = 20
"""Intents in one call of `push`, where each is a call of its own to the API."""


def push_object(name: str, item: ObjectFile) -> PushObject:
    """Return what the engine has to know of an object."""
    call = item.update or item.create
    batch = call.batch.size if call and call.batch else _AT_ONCE
    if item.update:
        return PushObject(name, batch, "upsert", item.about)
    return PushObject(name, batch, "marker" if item.find else "key", item.about)


class Writer:
    """Writes the intents of one object."""

    def __init__(self, client: Client, item: ObjectFile) -> None:
        self._client = client
        self._item = item

    def write(self, intents: Sequence[Intent]) -> Iterator[Receipt]:
        """Yield a receipt for each intent."""
        call = self._item.update or self._item.create
        if call and call.batch:
            yield from self._write_batch(call, call.batch, intents)
            return
        for intent in intents:
            try:
                yield self._write_one(intent)
            except DoneError:
                yield Receipt(intent.id, "done")
            except RecordError as error:
                yield Receipt(intent.id, "dead", None, str(error))
            except RetryableError as error:
                if not isinstance(error, NotTakenError):
                    raise
                yield Receipt(intent.id, "retry", None, str(error))

    def _write_one(self, intent: Intent) -> Receipt:
        create, update, find = self._item.create, self._item.update, self._item.find
        values = _values(intent)
        # What is only created is looked for when an earlier attempt may have made it; otherwise one look tells which call it is.
        found = self._found(find, values) if find and (update or intent.attempt > 1) else None
        if found is not None and not update:
            return self._done(intent, found)
        call = create if found is None and create else update
        assert call  # noqa: S101 - the API file has one of them
        answer = self._call(call, intent, {**values, "found": found or {}})
        return self._done(intent, answer if self._item.id and look_up(answer, self._item.id) is not None else found)

    def _call(self, call: Call, intent: Intent, values: Values) -> Any:
        return self._client.write(call, self._body(call, intent, values), values)

    def _body(self, call: Call, intent: Intent, values: Values) -> Any:
        return dict(intent.payload) if call.body is None else self._client.fill_body(call.body, values)

    def _done(self, intent: Intent, answer: Any) -> Receipt:
        identity = look_up(answer, self._item.id) if self._item.id else None
        return Receipt(intent.id, "done", None if identity is None else plain(identity, "id"))

    def _found(self, find: Find, values: Values) -> Any:
        """Return the record that is there already, None when there is none."""
        wanted = self._client.fill_body(find.contains if find.equals is None else find.equals, values)
        if wanted is None or wanted == "":
            raise RecordError("the record has nothing that it could be found by")
        text = plain(wanted, "find").casefold()
        for record in self._candidates(find, values):
            held = look_up(record, find.field)
            if held is not None and _matches(plain(held, find.field).casefold(), text, whole=find.equals is not None):
                return record
        return None

    def _candidates(self, find: Find, given: Values) -> Iterator[Any]:
        listed = StreamFile(find.path, "id", method=find.method, parameters=find.parameters, body=find.body, paging=find.paging)
        pager = make_pager(f"{self._client.name}: {find.path}", listed)
        body = Body(Cut(find.records), pager.around)

        def ask(values: Values, url: str | None = None) -> Answer:
            if url:
                return self._client.follow(body, url, request_of(find), given)
            return self._client.page(body, request_of(find), {**given, **values})

        at, more = None, True
        while more:
            try:
                found = pager.read(ask, at)
            except RefusalError as refusal:
                if refusal.nothing:
                    return
                raise
            yield from map(decoded, found.records)
            at, more = found.at, found.more

    def _write_batch(self, call: Call, batch: Batch, intents: Sequence[Intent]) -> Iterator[Receipt]:
        items = [self._body(call, intent, _values(intent)) for intent in intents]
        try:
            answer = self._client.write(call, _nested(batch.items, items), {})
        except (RefusalError, DoneError) as said:
            if len(intents) == 1:
                yield Receipt(intents[0].id, "done") if isinstance(said, DoneError) else Receipt(intents[0].id, "dead", None, str(said))
                return
            # One of them spoils it for all: halves find out which.
            middle = len(intents) // 2
            yield from self._write_batch(call, batch, intents[:middle])
            yield from self._write_batch(call, batch, intents[middle:])
            return
        except NotTakenError as error:
            yield from (Receipt(intent.id, "retry", None, str(error)) for intent in intents)
            return
        results = look_up(answer, batch.results) if batch.results else answer
        if not is_list(results) or len(results) != len(intents):
            raise RetryableError(f"{self._client.name} answered {call.path} without a result for each record")
        for intent, result in zip(intents, results, strict=True):
            yield self._receipt(call, batch, intent, result)

    def _receipt(self, call: Call, batch: Batch, intent: Intent, result: Any) -> Receipt:
        error = look_up(result, batch.error) if batch.error else None
        try:
            if error is not None:
                self._client.judge_item(error, call.path)
            return self._done(intent, result)
        except DoneError:
            return self._done(intent, result)
        except RecordError as refusal:
            return Receipt(intent.id, "dead", None, str(refusal))
        except NotTakenError as passing:
            return Receipt(intent.id, "retry", None, str(passing))


def _values(intent: Intent) -> Values:
    return {**intent.payload, "intent": intent.id}


def _matches(held: str, wanted: str, *, whole: bool) -> bool:
    return held == wanted if whole else wanted in held


def _nested(path: str | None, items: list[Any]) -> Any:
    value: Any = items
    for name in reversed(path.split(".") if path else ()):
        value = {name: value}
    return value
