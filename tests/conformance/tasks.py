"""A small API, its stand-in and a connector with a cursor of its own, so that the kit's tests can break it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from threadline.sdk import (
    ConfigError,
    Connector,
    Cursor,
    Intent,
    Page,
    PushObject,
    Receipt,
    Settings,
    Stream,
    Target,
    Window,
    credential,
    split_records,
)
from threadline.sdk.cursors import Rows, Span
from threadline.sdk.http import Http
from threadline.testing.rig import HttpRig, WaivedError
from threadline.testing.sandbox import Document, HttpSandbox
from threadline.testing.story import Event

BY_TIME = Window("at", timedelta(minutes=1))
TOKEN = "only-this-token-opens"


class TasksSettings(Settings):
    """Where the tasks are."""

    base_url: str
    page_size: int = 100
    token: SecretStr = credential("token", connection="password")


class Tasks(Connector[TasksSettings], Target):
    """Tasks by the time of their change and their number; a batch of notes with numbers of ours."""

    name = "tasks"
    about = "tasks"
    streams = (Stream("tasks", ("id",), str(Path(__file__).with_name("tasks.yaml")), cursor=BY_TIME),)
    objects = (PushObject("note", 10, "marker"),)
    sandbox = "tests.conformance.tasks:TasksSandbox"

    def __init__(self, settings: TasksSettings) -> None:
        super().__init__(settings)
        self.http = Http("tasks", settings.base_url, headers={"Authorization": f"Bearer {settings.token.get_secret_value()}"})

    def check(self) -> None:
        self.http.get("tasks", params={"limit": 1})

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        if stream != "tasks":
            raise ConfigError(f"tasks has no stream {stream!r}; it has tasks")
        return BY_TIME.scan(since, self.clock, self.fetch)

    def clock(self) -> datetime:
        """Return the time by the server's clock."""
        return parsedate_to_datetime(self.http.get("tasks", params={"limit": 1}).headers["Date"])

    def fetch(self, span: Span) -> Rows:
        """Read a page of a span."""
        at, number = span.after or (span.lower.isoformat() if span.lower else "", 0)
        records = self.read({"at": at, "id": number, "until": span.upper.isoformat() if span.upper else ""})
        last = msgspec.json.decode(records[-1]) if records else None
        return Rows(records, last and [last["at"], last["id"]], more=bool(records))

    def read(self, place: Mapping[str, Any]) -> Sequence[bytes]:
        """Return the page after a place."""
        answer = self.http.get("tasks", params={**place, "limit": self.settings.page_size})
        return split_records(answer.content, "tasks")

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002
        if object != "note":
            raise ConfigError(f"tasks takes no {object!r}; it takes note")
        held = self.held([intent.id for intent in intents if intent.attempt > 1])
        fresh = [intent for intent in intents if intent.id not in held]
        yield from (Receipt(intent.id, "done", str(held[intent.id])) for intent in intents if intent.id in held)
        yield from self.write(fresh)

    def held(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Return which notes are there already: our id, and theirs."""
        if not ids:
            return {}
        answer = self.http.get("notes", params={"ours": ",".join(ids)})
        return {note["ours"]: note["id"] for note in msgspec.json.decode(answer.content)["notes"]}

    def write(self, intents: Sequence[Intent]) -> Iterator[Receipt]:
        """Write notes, once: a lost answer is for the next attempt to find out."""
        if not intents:
            return
        rows = [{**intent.payload, "ours": intent.id} for intent in intents]
        answer = self.http.once("POST", "notes", json={"notes": rows})
        for intent, row in zip(intents, answer.json()["results"], strict=True):
            yield Receipt(intent.id, "done", str(row["id"])) if "id" in row else Receipt(intent.id, "dead", reason=row["error"])

    def close(self) -> None:
        self.http.close()


class TasksSandbox(HttpSandbox):
    """Tasks and notes in memory."""

    name = "tasks"
    role = "tickets"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"base_url": self.url}

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"token": TOKEN}

    def tell(self, event: Event) -> None:
        raise ValueError("nothing happens here")

    def pushed(self, object: str) -> list[Document]:  # noqa: A002
        return self.shelf.all(object)

    def rig(self) -> "TasksRig":
        return TasksRig(self)

    def authorized(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"

    def routes(self) -> list[Route]:
        return [
            Route("/tasks", self._tasks), Route("/notes", self._notes), Route("/notes", self._write, methods=["POST"]),
        ]  # fmt: skip

    async def _tasks(self, request: Request) -> Response:
        query = request.query_params
        after, until = (query.get("at", ""), int(query.get("id", 0))), query.get("until", "9")
        found = [task for task in self.shelf.all("task") if (task["at"], task["id"]) > after and task["at"] <= until]
        ahead = sorted(found, key=lambda task: (task["at"], task["id"]))
        return JSONResponse({"tasks": ahead[: int(query["limit"])]})

    async def _notes(self, request: Request) -> Response:
        wanted = request.query_params["ours"].split(",")
        return JSONResponse({"notes": [note for note in self.shelf.all("note") if note["ours"] in wanted]})

    async def _write(self, request: Request) -> Response:
        results: list[Document] = []
        for note in (await request.json())["notes"]:
            if not note["text"]:
                results.append({"error": "a note needs a text"})
                continue
            number = self.shelf.count("note") + 1
            self.shelf.put("note", str(number), {**note, "id": number})
            results.append({"id": number})
        return JSONResponse({"results": results})


class TasksRig(HttpRig):
    """Works the tasks."""

    small_pages = {"page_size": 3}  # noqa: RUF012
    sandbox: TasksSandbox

    def put(self, stream: str, number: int, at: datetime) -> str:
        return self._put(number, at, "open")

    def change(self, stream: str, number: int, at: datetime) -> None:
        self._put(number, at, "done")

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        return self._put(number, at, "nobody knows")

    def _put(self, number: int, at: datetime, state: str) -> str:
        moment = at.astimezone(UTC).isoformat()
        task = {"id": number, "title": f"Task {number}", "state": state, "at": moment, "owner": f"p{number}@example.org"}
        self.sandbox.shelf.put("task", str(number), task)
        return str(number)

    def delete(self, stream: str, number: int, at: datetime) -> None:
        raise WaivedError("nobody deletes a task")

    def limit(self, seconds: int) -> None:
        self.sandbox.fail_next.append(self.sandbox.limited(seconds))

    def expire(self) -> None:
        raise WaivedError("the token does not expire")

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        return {"text": f"Remark {number}"}

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        return {"text": ""}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        return sum(note["text"] == f"Remark {number}" for note in self.sandbox.shelf.all("note"))
