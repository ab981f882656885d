"""The parts of the kit, and how one is run."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from threadline.sdk import Connector, ConnectorError, Listener, PushObject, Stream, Target
from threadline.sdk.registry import load_object
from threadline.testing.conformance import access, listening, memory, reading, recovery, writing
from threadline.testing.conformance.trial import NonconformityError, Trial, trial
from threadline.testing.rig import WaivedError

Scope = Literal["connector", "listener", "first stream", "stream", "object"]


@dataclass(frozen=True, slots=True)
class Part:
    """A check: what it is run for, and whether it takes long."""

    name: str
    check: Callable[..., None]
    scope: Scope
    slow: bool = False

    @property
    def about(self) -> str:
        """What it proves, in a sentence."""
        return (self.check.__doc__ or "").strip()


PARTS: tuple[Part, ...] = (
    Part("takes right credentials", access.takes_right_credentials, "connector"),
    Part("refuses wrong credentials", access.refuses_wrong_credentials, "connector"),
    Part("says what is unreachable", access.says_what_is_unreachable, "connector"),
    Part("keeps secrets", access.keeps_secrets, "first stream"),
    Part("refuses what it does not know", access.refuses_what_it_does_not_know, "first stream"),
    Part("honours limits", access.honours_limits, "stream"),
    Part("renews tokens", access.renews_tokens, "stream"),
    Part("reads everything", reading.reads_everything, "stream"),
    Part("reads what comes first", reading.reads_what_comes_first, "stream"),
    Part("reads each once", reading.reads_each_once, "stream"),
    Part("reads one moment", reading.reads_one_moment, "stream"),
    Part("resumes", reading.resumes, "stream"),
    Part("reads while records change", reading.reads_while_records_change, "stream"),
    Part("changes nothing again", reading.changes_nothing_again, "stream"),
    Part("reads changes", reading.reads_changes, "stream"),
    Part("reads late commits", reading.reads_late_commits, "stream"),
    Part("tells of deletes", reading.tells_of_deletes, "stream"),
    Part("tells of news", listening.tells_of_news, "listener"),
    Part("sets poison aside", reading.sets_poison_aside, "stream"),
    Part("outlives outages", recovery.outlives_outages, "stream"),
    Part("outlives faults", recovery.outlives_faults, "stream", slow=True),
    Part("outlives shifted pages", recovery.outlives_shifted_pages, "stream", slow=True),
    Part("keeps memory flat", memory.keeps_memory_flat, "stream", slow=True),
    Part("writes each", writing.writes_each, "object"),
    Part("writes within limits", writing.writes_within_limits, "object"),
    Part("answers for each", writing.answers_for_each, "object"),
    Part("writes once when asked again", writing.writes_once_when_asked_again, "object"),
    Part("pushes once when answers are lost", recovery.pushes_once_when_answers_are_lost, "object"),
    Part("pushes once through faults", recovery.pushes_once_through_faults, "object", slow=True),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A part, run for a connector's stream or object (None: for all of it)."""

    kind: type[Connector[Any]]
    part: Part
    subject: Stream | PushObject | None = None

    def __str__(self) -> str:
        return f"{self.part.name}: {self.subject.name}" if self.subject else self.part.name


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case; `said` is how it fails, or the vendor's reason for a waiver."""

    case: Case
    state: Literal["passed", "failed", "waived"]
    said: str = ""


def cases_of(kind: type[Connector[Any]]) -> Iterator[Case]:
    """Return every case of a connector, with the streams and objects that its stand-in's settings give it."""
    if kind.sandbox is None:
        raise NonconformityError(f"{kind.__name__} names no stand-in (`sandbox`), so nothing can be proven of it")
    sandbox = load_object(kind.sandbox)()
    settings = kind.settings_type().model_validate({**sandbox.settings, **sandbox.rig().all_streams, **sandbox.secrets})
    try:
        connector = kind(settings)
    except ConnectorError as error:
        raise NonconformityError(f"{kind.__name__} cannot be made while its system is away: connect when it is used ({error})") from None
    streams = connector.available_streams()
    objects = connector.available_objects() if isinstance(connector, Target) else ()
    for part in PARTS:
        match part.scope:
            case "connector":
                yield Case(kind, part)
            case "listener":
                yield from [Case(kind, part)] if isinstance(connector, Listener) else []
            case "first stream":
                yield from (Case(kind, part, stream) for stream in streams[:1])
            case "stream":
                yield from (Case(kind, part, stream) for stream in streams)
            case "object":
                yield from (Case(kind, part, one) for one in objects)


def run_case(case: Case) -> Outcome:
    """Run a case on a stand-in of its own."""
    try:
        with trial(case.kind) as surroundings:
            _run(case, surroundings)
            surroundings.require_discretion()
    except WaivedError as waived:
        return Outcome(case, "waived", str(waived))
    except NonconformityError as broken:
        return Outcome(case, "failed", str(broken))
    except ConnectorError as error:
        return Outcome(case, "failed", f"{type(error).__name__}, which was not due ({_place(error)}): {error}")
    except Exception as error:
        return Outcome(case, "failed", f"{type(error).__name__}, which is no error of the contract ({_place(error)}): {error}")
    return Outcome(case, "passed")


def _place(error: BaseException) -> str:
    """Return where an error was raised: the last line of code that is not of an installed library."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if "site-packages" not in frame.filename), frames[-1])
    return f"{last.filename}:{last.lineno}"


def _run(case: Case, surroundings: Trial) -> None:
    if reason := surroundings.rig.waivers.get(str(case)):
        raise WaivedError(reason)
    match case.subject:
        case None:
            case.part.check(surroundings)
        case Stream() as stream:
            case.part.check(surroundings, stream)
        case PushObject() as one:
            case.part.check(surroundings, one.name)
