"""Checks under faults: whatever breaks at whichever request, later attempts end as an undisturbed one does."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from threadline.sdk import ConfigError, ConnectorError, Receipt, RetryableError, Stream
from threadline.store.database import Database
from threadline.testing.conformance.trial import NonconformityError, Trial, a_moment, contents, require
from threadline.testing.conformance.writing import intents, push_until_settled
from threadline.testing.faults.front import Front
from threadline.testing.faults.proxy import FaultProxy
from threadline.testing.faults.script import (
    EXPIRED,
    GATEWAY_TIMEOUT,
    LOST_RESPONSE,
    PAGES,
    PASSING,
    RESET,
    UNAVAILABLE,
    Fault,
    Rule,
    Script,
)
from threadline.testing.faults.tcp import TcpFaultProxy
from threadline.testing.rig import WaivedError

_ATTEMPTS = 8
_BRIEFLY = 0.02
"""Seconds; attempts follow each other after as many."""
_DEEPEST = 8
"""Requests of a run that are spoiled, each in turn."""
_DEEPEST_SESSION = 40
"""The same where it is not HTTP, and a session begins with much that is no request."""
_OUTAGES = 8
"""Requests from which on a system fails, each in turn: evenly among all."""


# A server that refuses connections does so for a while, which attempts that do not wait would use up.
_PASSING = tuple(replace(fault, seconds=_BRIEFLY) if fault.kind == "refuse" else fault for fault in PASSING)


class _Way:
    """The proxies between a connector and its stand-in; they follow one script, which counts the exchanges of all."""

    def __init__(self, fronts: Sequence[Front]) -> None:
        self._fronts = fronts

    def restart(self, script: Script) -> None:
        """Go on with another script."""
        for front in self._fronts:
            front.restart(script)

    @property
    def depth(self) -> int:
        """How many exchanges of what was just seen are worth spoiling."""
        deepest = _DEEPEST if all(isinstance(front, FaultProxy) for front in self._fronts) else _DEEPEST_SESSION
        return min(sum(len(front.seen) for front in self._fronts), deepest)

    @property
    def outage(self) -> Fault:
        """What a system that is out of order answers."""
        return UNAVAILABLE if all(isinstance(front, FaultProxy) for front in self._fronts) else RESET

    def possible(self, faults: Sequence[Fault]) -> list[Fault]:
        """Return the faults that can happen on the way."""
        found = [fault for fault in faults if all(fault.kind in front.kinds for front in self._fronts)]
        if not found:
            raise WaivedError("the system does not speak HTTP")
        return found


@contextmanager
def _proxied(trial: Trial) -> Generator[_Way]:
    if not trial.rig.addresses:
        raise WaivedError("the system is not reached over a network")
    with ExitStack() as stack:
        fronts = {
            port: stack.enter_context(
                FaultProxy(f"http://{host}:{port}", Script()) if name == "http" else TcpFaultProxy((host, port), Script())
            )
            for name, (host, port) in trial.rig.addresses.items()
        }
        stack.enter_context(trial.through({port: front.port for port, front in fronts.items()}))
        yield _Way(list(fronts.values()))


def outlives_outages(trial: Trial, stream: Stream) -> None:
    """A system that fails from some request on, and stays so, makes a pull fail with a RetryableError; the run after it loses nothing."""
    for number in range(1, 8):
        trial.rig.put(stream.name, number, trial.at(number))
    with _proxied(trial) as way:
        undisturbed = trial.store()
        trial.pull(undisturbed, stream)
        expected, depth = contents(undisturbed, stream), way.depth
        for number in range(1, depth + 1, -(-depth // _OUTAGES)):
            store = trial.store()
            way.restart(Script(Rule(way.outage, number, onwards=True)))
            _pull_in_vain(trial, store, stream, f"the system fails from request {number} on")
            way.restart(Script())
            _pull_until_done(trial, store, stream, f"after an outage from request {number} on")
            found = contents(store, stream)
            lost = expected.keys() - found.keys()
            require(not lost, f"after an outage from request {number} on, {len(lost)} of {len(expected)} records are lost")
            require(found == expected, f"after an outage from request {number} on, the store differs from that of an undisturbed pull")


def _pull_in_vain(trial: Trial, store: Database, stream: Stream, what: str) -> None:
    try:
        trial.pull(store, stream)
    except RetryableError:
        return
    except ConfigError as error:
        raise NonconformityError(f"{what}, which may pass, but a ConfigError asks a person to change something: {error}") from None
    raise NonconformityError(f"{what}, and a pull ends as if it had read everything")


def outlives_faults(trial: Trial, stream: Stream) -> None:
    """Each kind of passing fault, at each request of a pull: after a few runs the store holds what an undisturbed pull holds."""
    _outlives(trial, stream, [*_PASSING, EXPIRED])


def outlives_shifted_pages(trial: Trial, stream: Stream) -> None:
    """Pages that come twice, backwards or shifted in the middle of a pull: nothing is lost."""
    _outlives(trial, stream, PAGES)


def _outlives(trial: Trial, stream: Stream, faults: Sequence[Fault]) -> None:
    for number in range(1, 8):
        trial.rig.put(stream.name, number, trial.at(number))
    with _proxied(trial) as way:
        undisturbed = trial.store()
        trial.pull(undisturbed, stream)
        expected, requests = contents(undisturbed, stream), way.depth
        require(bool(expected), "an undisturbed pull read nothing")
        for fault in way.possible(faults):
            for number in range(1, requests + 1):
                way.restart(Script(Rule(fault, number)))
                store = trial.store()
                _pull_until_done(trial, store, stream, f"{fault.kind} at request {number}")
                found = contents(store, stream)
                lost = expected.keys() - found.keys()
                require(not lost, f"{fault.kind} at request {number}: {len(lost)} of {len(expected)} records were lost")
                require(found == expected, f"{fault.kind} at request {number}: the store differs from that of an undisturbed pull")


def _pull_until_done(trial: Trial, store: Database, stream: Stream, what: str) -> None:
    failed: ConnectorError | None = None
    good = 0
    for _ in range(_ATTEMPTS):
        try:
            trial.pull(store, stream)
        except ConnectorError as error:
            failed = error
            a_moment()
        else:
            good += 1
        # What a run may have skipped, the one after it reads, as the schedule has it.
        if good == 2:
            return
    require(False, f"{what}: {_ATTEMPTS} runs did not get over it; the last said: {failed}")


def pushes_once_through_faults(trial: Trial, object_name: str) -> None:
    """Each kind of passing fault, at each request of a push: in the end every intent is there once."""
    _push_through(trial, object_name, _PASSING)


def pushes_once_when_answers_are_lost(trial: Trial, object_name: str) -> None:
    """The system did what it was asked, and its answer was lost: the next attempt finds that out, and writes nothing twice."""
    _push_through(trial, object_name, [LOST_RESPONSE, GATEWAY_TIMEOUT])


def _push_through(trial: Trial, object_name: str, faults: Sequence[Fault]) -> None:
    with _proxied(trial) as way:
        first = intents(trial, object_name, 1, 3)
        push_until_settled(trial, object_name, first)
        requests, next_number = way.depth, 4
        for fault in way.possible(faults):
            for request in range(1, requests + 1):
                given = intents(trial, object_name, next_number, 3)
                way.restart(Script(Rule(fault, request)))
                receipts = push_until_settled(trial, object_name, given)
                _expect_once(trial, object_name, receipts, next_number, f"{fault.kind} at request {request}")
                next_number += 3


def _expect_once(trial: Trial, object_name: str, receipts: dict[str, Receipt], first: int, what: str) -> None:
    for offset, (intent, receipt) in enumerate(receipts.items()):
        times = trial.rig.written(object_name, first + offset)
        require(times <= 1, f"{what}: the system holds an intent {times} times")
        if receipt.status == "done":
            require(times == 1, f"{what}: the receipt of {intent} says done, and the system does not hold it")
        else:
            require(False, f"{what}: after {_ATTEMPTS} attempts an intent is still {receipt.status} ({receipt.reason})")
