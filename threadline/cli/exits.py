"""Exit codes, and the one message that a command ends with when it cannot do its work."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from threadline.cli.output import plain
from threadline.sdk.errors import ConfigError, ConnectorError, RetryableError

DONE = 0
NEEDS_A_PERSON = 1
"""The command ran, and found or left something that a person must look at."""
USAGE = 2
CONFIGURATION = 3
"""A setting, a credential or a file must change first."""
TEMPORARY = 4
"""The same command may work later."""
UNFORESEEN = 70
INTERRUPTED = 130


def interruptible() -> None:
    """Let the first SIGINT or SIGTERM end a command through every `finally`, and no further one disturb that."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, stop)


@contextmanager
def until_told() -> Generator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event, so that everything is stopped in order."""
    told = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        told.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    # They stay so: what follows is the way out.
    yield told


def explained(command: Callable[..., Any], *, debug: bool) -> int:
    """Run a command; print what went wrong in one message, and return the exit code."""
    try:
        code = _ended(command, debug=debug)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has enough of it; the rest goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code


def _ended(command: Callable[..., Any], *, debug: bool) -> int:
    try:
        command()
    except SystemExit as end:
        # The library that reads the command line has its own words for these two.
        if _came_of(end, KeyboardInterrupt):
            return say("stopped", INTERRUPTED)
        if _came_of(end, BrokenPipeError):
            raise BrokenPipeError from None
        return end.code if isinstance(end.code, int) else DONE if end.code is None else NEEDS_A_PERSON
    except KeyboardInterrupt:
        return say("stopped", INTERRUPTED)
    except BrokenPipeError:
        raise
    except ConnectorError as error:
        return say(describe(error), code_of(error))
    except Exception as error:
        if debug:
            raise
        # The text of an unforeseen error may quote a record or a secret: only its kind is shown.
        where = _where(error)
        return say(f"unforeseen {type(error).__name__} in {where}: please report it; THREADLINE_DEBUG=1 shows everything", UNFORESEEN)
    return DONE


def _came_of(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error and not isinstance(error, kind):
        error = error.__context__
    return error is not None


def code_of(error: ConnectorError) -> int:
    """Return the exit code of an error."""
    return CONFIGURATION if isinstance(error, ConfigError) else TEMPORARY if isinstance(error, RetryableError) else NEEDS_A_PERSON


def worst(codes: Iterable[int]) -> int:
    """Return the code for several outcomes: what a person must change comes before what may pass by itself."""
    return max(codes, key=(DONE, TEMPORARY, NEEDS_A_PERSON, CONFIGURATION).index, default=DONE)


def describe(error: ConnectorError) -> str:
    """Return an error's message, with the wait that the remote asks for."""
    wait = f" (it asks to wait {error.retry_after:.0f} s)" if isinstance(error, RetryableError) and error.retry_after else ""
    return f"{error}{wait}"


def about(what: str, message: str) -> str:
    """Begin a message with what it is about, unless it says so itself."""
    return message if what in message else f"{what}: {message}"


def say(message: str, code: int) -> int:
    """Print an error's message; return the code."""
    print(f"threadline: {plain(message)}", file=sys.stderr)
    return code


def leave(code: int) -> NoReturn:
    """End the command with a code; what there is to say has been said."""
    raise SystemExit(code)


def leave_with(errors: Iterable[tuple[str, ConnectorError]], code: int = DONE) -> NoReturn:
    """Print each error with what it is about, and end with the worst of all codes."""
    codes = [say(about(what, describe(error)), code_of(error)) for what, error in errors]
    leave(worst([code, *codes]))


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "?"
