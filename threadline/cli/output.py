"""What commands print: tables for people, JSON for machines, progress on long work."""

import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 200
"""Columns where there is no terminal to ask: a file or a pipe must not be cut off at 80."""


def console(*, error: bool = False) -> Console:
    """Return a console that writes to stdout, or stderr."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _WIDE, highlight=False, markup=False, soft_wrap=False)


def print_json(value: Any) -> None:
    """Print a value as JSON; times are RFC 3339."""
    print(msgspec.json.format(msgspec.json.encode(value, enc_hook=str)).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = (), title: str | None = None) -> None:
    """Print a table; `numbers` are the columns to align right. What comes from records is shown as it is, without control characters."""
    table = Table(box=None, header_style="bold", pad_edge=False, title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    console().print(table)


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print what is known, a line each: the name, then the value."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(plain(name)), Text(f"{value:,}" if isinstance(value, int) else plain(value)))
    console().print(table)


def plain(value: Any) -> str:
    """Write a value in one line, safe for a terminal."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
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
def working(what: str, *, quiet: bool = False) -> Generator[Callable[[str], None]]:
    """Show that long work goes on: a spinner on a terminal, a line every few seconds elsewhere; the block reports how far it is."""
    out = console(error=True)
    if quiet:
        yield lambda _: None
    elif out.is_terminal:
        with out.status(what) as status:
            yield lambda detail: status.update(f"{what}: {detail}")
    else:
        last = time.monotonic()

        def report(detail: str) -> None:
            nonlocal last
            if time.monotonic() - last > 5:
                last = time.monotonic()
                out.print(f"{what}: {detail}")

        yield report
