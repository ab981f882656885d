"""Output is readable: it fits the terminal, names stay whole, numbers stand below each other."""

import pytest
from rich.cells import cell_len

from tests.cli.company import Nordlicht, Shell, read_table
from threadline.cli.output import ago, plain, print_facts, print_table

COMMANDS = [
    "connectors",
    "check",
    "status",
    "dead list",
    "pull helpdesk --full",
    "replay helpdesk",
    "reconcile helpdesk",
    "drift",
    "connectors zendesk",
    "map diff zendesk/tickets",
    "map check",
    "map preview zendesk/tickets",
    "timeline {who}",
]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_printed_fits_the_terminal(nordlicht: Nordlicht, shell: Shell, command: str, columns: int) -> None:
    ran = shell.run(*command.format(who=nordlicht.traveller.email).split(), columns=columns)
    assert max(map(cell_len, ran.out.splitlines())) <= columns
    assert not any(line != line.rstrip() for line in ran.out.splitlines())


@pytest.mark.parametrize("columns", [80, 120])
def test_names_and_numbers_stay_whole(nordlicht: Nordlicht, shell: Shell, columns: int) -> None:
    (all_streams, all_targets), (streams, targets) = ([lasting(table) for table in tables(shell, width)] for width in (300, columns))
    assert targets == all_targets
    for everything, row in zip(all_streams, streams, strict=True):
        assert row.items() <= everything.items()
        assert row.keys() >= {"stream", "state", "read", "dead", "open dead"}


def tables(shell: Shell, columns: int) -> list[str]:
    streams, _, targets = shell.run("status", columns=columns).out.partition("\n\n")
    return [streams, targets]


def lasting(table: str) -> list[dict[str, str]]:
    """Read a table without what the clock changes."""
    return [{name: cell for name, cell in row.items() if not name.startswith("last ")} for row in read_table(table)]


def test_numbers_end_below_their_heading(nordlicht: Nordlicht, shell: Shell) -> None:
    head, *lines = shell.run("pull", "helpdesk", "--full").out.splitlines()
    for name in ("read", "new", "changed", "unchanged", "filtered", "dead"):
        end = head.index(f" {name}") + len(name)
        assert all(line[end].isdigit() and line[end + 1 : end + 2] in ("", " ") for line in lines), name


def test_prose_is_folded_at_words_and_nothing_of_it_is_lost(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.monkeypatch.setenv("COLUMNS", "60")
    said = "nothing may be lost, neither a comma, nor a word at the end of a line, however narrow the terminal is"
    print_table(["who", "what"], [("somebody.with.a.name", said)])
    head, *lines = printed(capsys)
    assert head.split() == ["who", "what"]
    assert [line[:22].strip() for line in lines] == ["somebody.with.a.name", *[""] * (len(lines) - 1)]
    assert " ".join(line[22:] for line in lines) == said


def test_columns_that_can_be_spared_go_first(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    def heads(columns: int) -> list[str]:
        shell.monkeypatch.setenv("COLUMNS", str(columns))
        print_table(["name", "read", "same", "dead"], [("a.stream", 1, 2_000, 3)], numbers=["read", "same", "dead"], spare=["same", "read"])
        head, line = printed(capsys)
        assert len(head.split()) == len(line.split())
        return head.split()

    assert heads(80) == ["name", "read", "same", "dead"]
    assert heads(22) == ["name", "read", "dead"]
    assert heads(15) == ["name", "dead"]


def test_signs_of_double_width_are_counted_so(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "count"], [("山田 花子", 1_234), ("Ana", 5)], numbers=["count"], prose=["name"])
    assert len({cell_len(line) for line in printed(capsys)}) == 1


def test_a_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [], empty="no names")
    assert printed(capsys) == ["no names"]


def test_a_pipe_is_as_wide_as_the_words(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "what"], [("x", "word " * 30 + "end")])
    assert len(printed(capsys)) == 2


def test_facts_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts([("name", "Ana"), ("records", 12_345), ("good", True), ("none", None)])
    assert printed(capsys) == ["name     Ana", "records  12,345", "good     true", "none     -"]


def test_values_stand_on_one_line() -> None:
    assert plain("a\nb\x1b[1mc") == "a b [1mc"
    assert plain({"a": [1, None]}) == '{"a":[1,null]}'


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "never"), (-1, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7_200, "2 h ago"), (200_000, "2 d ago")]
)
def test_times_are_told_in_words(seconds: float | None, said: str) -> None:
    assert ago(seconds) == said
