"""The reference pages: whatever can be set, read, written or called is described."""

import json
import re
import runpy
from pathlib import Path

import pytest

from connectors.rest.schema import schema_text
from threadline.sdk.contract import Target
from threadline.sdk.registry import connector_class, installed

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"
PAGES = {
    path.name: text for path, text in runpy.run_path(str(ROOT / "docs" / "generate.py"))["documents"]().items() if path.parent == FOLDER
}
ROW = re.compile(r"^\| (.*) \|$", re.MULTILINE)

connectors = pytest.mark.parametrize("name", installed())


def rows(page: str, column: str) -> list[list[str]]:
    """Return the cells of all tables that have a column of this name at their end."""
    found: list[list[str]] = []
    described = False
    for line in page.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and not set(line) <= set("| -"):
            described = described or cells[-1] == column
            found += [cells] if described and cells[-1] != column else []
        elif not cells:
            described = False
    return found


@connectors
def test_a_page_describes_every_setting(name: str) -> None:
    schema = connector_class(name).settings_type().model_json_schema()
    fields = {field for part in [schema, *schema.get("$defs", {}).values()] for field in part.get("properties", {})}
    described = {cells[0].strip("*`"): cells[-1] for cells in rows(PAGES[f"{name}.md"], "meaning")}
    assert fields == described.keys()
    assert [field for field, about in described.items() if not about] == []


@connectors
def test_a_page_describes_every_stream_and_object(name: str) -> None:
    kind = connector_class(name)
    objects = list(kind.objects) if issubclass(kind, Target) else []
    assert [one.name for one in (*kind.streams, *objects) if not one.about] == []
    for one in kind.streams:
        assert f"| `{one.name}`" in PAGES[f"{name}.md"]
    for item in objects:
        assert f"| `{item.name}` | {item.batch} | " in PAGES[f"{name}.md"]
    for cells in rows(PAGES[f"{name}.md"], "what it says") + rows(PAGES[f"{name}.md"], "what it does"):
        assert cells[-1], cells


@connectors
def test_a_page_says_where_credentials_come_from(name: str) -> None:
    for field, info in connector_class(name).settings_type().model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and extra.get("credential"):
            assert f"`THREADLINE_<SOURCE>_{field.upper()}`, or `{extra['connection']}` of the connection" in PAGES[f"{name}.md"]


def test_a_page_describes_every_command_and_what_it_takes() -> None:
    sections = re.split(r"^#+ `threadline ", PAGES["commands.md"], flags=re.MULTILINE)[1:]
    assert len(sections) > 15
    for section in sections:
        head, about, *_ = [line for line in section.splitlines() if line]
        assert about[0].isupper(), head
        for option in re.findall(r"^\* .*$", section, re.MULTILINE):
            assert re.fullmatch(r"\* `[^`]+`: [A-Z].*", option), (head, option)
        assert [line for line in section.splitlines() if line.endswith("...") and not line.startswith("$")] == [], head


def test_a_page_describes_every_key_of_an_api_file() -> None:
    page = PAGES["rest-api-file.md"]
    described = [cells for cells in rows(page, "meaning") if cells[0] != "**`kind`**"]
    keys = [name for part in json.loads(schema_text())["$defs"].values() for name in part["properties"] if name != "kind"]
    assert sorted(cells[0].strip("*`") for cells in described) == sorted(keys)
    assert [cells[0] for cells in described if not cells[-1]] == []
    for kind in set(re.findall(r"\]\(#(\w+)\)", page)):
        assert re.search(rf"^## {kind}$", page, re.MULTILINE | re.IGNORECASE), kind


def test_all_that_pages_link_to_is_there() -> None:
    for name, page in PAGES.items():
        for target in re.findall(r"\]\(([^)#]+)\)", page):
            assert (FOLDER / target).exists(), (name, target)
