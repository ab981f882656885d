"""What commands print: tables for people, JSON for machines, progress on long work."""

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

# rich is imported where something is shown: a run for machines does without it.

_WIDE = 200
"""Columns where there is no terminal to ask: a file or a pipe must not be cut off at 80."""
_GAP = 2  # as rich leaves between columns
_PROSE = 24
"""Columns that prose needs at least to be readable."""


def console(*, error: bool = False) -> "Console":
    """Return a console that writes to stdout, or stderr; COLUMNS says how wide, where that is set."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    known = stream.isatty() or "COLUMNS" in os.environ
    return Console(file=stream, width=None if known else _WIDE, highlight=False, markup=False, soft_wrap=False)


def show(*what: "RenderableType") -> None:
    """Print on stdout, without the blanks that fill up lines."""
    out = console()
    with out.capture() as captured:
        for one in what:
            out.print(one)
    for line in captured.get().splitlines():
        print(line.rstrip())


def print_json(value: Any) -> None:
    """Print a value as JSON; times are RFC 3339."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str)).decode()
    # JSON leaves signs as they are that a terminal would obey.
    print("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numbers: Sequence[str] = (),
    prose: Sequence[str] = (),
    spare: Sequence[str] = (),
    empty: str = "nothing",
) -> None:
    """Print a table; what comes from records is shown as it is, without control characters.

    `numbers` are aligned right, `prose` is wrapped where the terminal is too narrow (the last column, when none is named),
    and before that the `spare` columns are left out, the first ones first. Without rows, `empty` says so.
    """
    texts = [
        [f"{cell:,}" if name in numbers and type(cell) is int else plain(cell) for name, cell in zip(columns, row, strict=True)]
        for row in rows
    ]
    if not texts:
        print(empty)
        return
    _show_table(list(columns), texts, set(numbers), set(prose or columns[-1:]), list(spare))


def _show_table(columns: list[str], texts: list[list[str]], numbers: set[str], prose: set[str], spare: list[str]) -> None:
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    width = console().width
    needed = {name: max(map(cell_len, (name, *column))) for name, column in zip(columns, zip(*texts, strict=True), strict=True)}
    while spare and sum(needed.values()) + _GAP * (len(needed) - 1) > width:
        del needed[spare.pop(0)]
    least = sum(_PROSE if name in prose else size for name, size in needed.items()) + _GAP * (len(needed) - 1)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, size in needed.items():
        fixed = size if name not in prose and least <= width else None
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold", min_width=fixed)
    for row in texts:
        table.add_row(*(Text(cell) for name, cell in zip(columns, row, strict=True) if name in needed))
    show(table)


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print what is known, a line each: the name, then the value."""
    from rich.text import Text

    table = grid()
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(plain(name)), Text(f"{value:,}" if type(value) is int else plain(value)))
    show(table)


def grid() -> "Table":
    """Return a table without head or lines."""
    from rich.table import Table

    return Table(box=None, show_header=False, pad_edge=False)


def plain(value: Any) -> str:
    """Write a value in one line, safe for a terminal."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, (bool, dict, list, tuple)):
        value = msgspec.json.encode(value, enc_hook=str).decode()
    return "".join(char if char.isprintable() else " " for char in str(value))


def safe_lines(text: str) -> list[str]:
    """Cut a record's text into lines that a terminal may show."""
    return [plain(line) for line in text.splitlines()]


def ago(seconds: float | None) -> str:
    """Write a span of time in words."""
    if seconds is None:
        return "never"
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {name} ago"
    return f"{max(seconds, 0):.0f} s ago"


@contextmanager
def working(what: str, *, quiet: bool = False, aloud: bool = False) -> Generator[Callable[[str], None]]:
    """Show on a terminal that long work goes on; the block reports how far it is.

    Elsewhere nothing is said, or with `aloud` a line every few seconds.
    """
    if quiet or not (aloud or sys.stderr.isatty()):
        yield lambda _: None
        return
    out = console(error=True)
    if out.is_terminal:
        with out.status(what) as status:
            yield lambda detail: status.update(f"{what}: {detail}")
        return
    last = time.monotonic()

    def report(detail: str) -> None:
        nonlocal last
        if time.monotonic() - last > 5:
            last = time.monotonic()
            out.print(f"{what}: {detail}")

    yield report
