"""Where mapping files are found, what a record becomes by name, and examples that are tests."""

import pytest

from tests.unit.mapping_bench import FILE, case, complaint, made, party, pull, push
from threadline.mapping.library import describe, find, is_push, pull_mapping, push_mapping, run_examples
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import connector_class, installed
from threadline.sdk.yamlfile import parse_yaml

OWN = "source: shop.things\ntarget: party\nfields: {formatted_name: name}\nidentifiers: {shop_person: id}\n"
PUSH = "source: profile\ntarget: shop.user\nfields: {name: formatted_name}\n"


class TestFinding:
    def test_a_file_beside_the_settings_wins_over_a_shipped_one(self, tmp_path):
        assert find("zendesk/tickets", tmp_path)[0] == "zendesk/tickets.yaml"
        own = tmp_path / "mappings" / "zendesk" / "tickets.yaml"
        own.parent.mkdir(parents=True)
        own.write_text(OWN, encoding="utf-8")
        assert find("zendesk/tickets", tmp_path) == (str(own), OWN)

    def test_a_path_is_relative_to_the_settings(self, tmp_path):
        (tmp_path / "mine.yaml").write_text(OWN, encoding="utf-8")
        mapping = pull_mapping("mine.yaml", "shop", folder=tmp_path, functions={})
        assert describe(mapping, b'{"id": 1, "name": "A"}', "1")["formatted_name"] == "A"
        (tmp_path / "push.yaml").write_text(PUSH, encoding="utf-8")
        assert push_mapping("push.yaml", folder=tmp_path, functions={})({"formatted_name": "A"}) == {"name": "A"}

    @pytest.mark.parametrize("name", ["zendesk/nothing", "nothing", "nothing.yaml", "../zendesk/tickets.yaml", "zendesk/tickets/x", ""])
    def test_what_is_not_there_is_a_config_error(self, tmp_path, name):
        with pytest.raises(ConfigError, match=r"no mapping .* neither .* nor a shipped one; `threadline map check` lists what there is"):
            find(name, tmp_path)

    def test_what_cannot_be_read_is_a_config_error(self, tmp_path):
        (tmp_path / "bad.yaml").write_bytes(b"source: \xff")
        with pytest.raises(ConfigError, match=r"bad\.yaml: cannot be read"):
            pull_mapping("bad.yaml", "shop", folder=tmp_path, functions={})

    def test_a_push_is_told_by_its_source(self):
        assert is_push(parse_yaml(PUSH, FILE))
        assert not is_push(parse_yaml(OWN, FILE))
        assert not is_push(parse_yaml("target: case", FILE))
        assert not is_push(parse_yaml("- a", FILE))


class TestDescribing:
    def test_everything_is_named_and_nothing_internal_is(self):
        mapping = pull(
            """
            source: shop.mails
            target: interaction
            fields: {direction: {default: inbound}, channel: {default: email}, interaction_date: at, case: ticket}
            parties: [{role: customer, identifiers: {shop_person: who}, fields: {given_name: {from: first, optional: true}}}]
            message: {fields: {content: text, references: {from: refs, optional: true}}}
            extensions: {tags: tags}
            """
        )
        found = made(mapping, {"at": "2026-01-02T03:04:05Z", "ticket": 5, "who": 7, "text": "hi", "refs": ["a"], "tags": [1, {"b": None}]})
        assert found.pop("interaction_date").isoformat() == "2026-01-02T03:04:05+00:00"
        assert found == {
            "direction": "inbound", "channel": "email", "status": "completed", "visibility": "private", "customer": {"shop_person": "7"},
            "message": {"content": "hi", "references": ["a"]}, "extensions": {"tags": [1, {"b": None}]},
        }  # fmt: skip

    def test_a_filtered_record_becomes_nothing(self):
        assert made(case(more="when: a"), {}) is None


class TestExamples:
    def problems(self, examples, build=party, **options):
        text = "\n".join(["examples:", *(f"  - {example}" for example in examples)])
        return run_examples(
            build("formatted_name: {from: name, optional: true}\nbirth_date: {from: born, optional: true}", more=text, **options)
        )

    def test_right_ones_say_nothing(self):
        assert self.problems(["{given: {id: 7, name: A, born: 1984-03-07}, gives: {formatted_name: A, birth_date: 1984-03-07}}"]) == []
        assert self.problems(["{given: {id: 7}, gives: {identifiers: {shop_person: '7'}, formatted_name: null}}"]) == []
        assert self.problems([]) == []

    @pytest.mark.parametrize(
        ("example", "problem"),
        [
            ("{given: {id: 7, name: A}, gives: {formatted_name: B}}", "formatted_name is 'A', the example says 'B'"),
            ("{given: {id: 7}, gives: {formatted_name: B}}", "formatted_name is missing, the example says 'B'"),
            ("{given: {id: 7, name: A}, gives: {formatted_name: null}}", "formatted_name is 'A', the example says None"),
            ("{given: {id: 7}, gives: {identifiers: {shop_person: '8'}}}", "identifiers.shop_person is '7', the example says '8'"),
            ("{given: {id: 7}, gives: {identifiers: [7]}}", "identifiers is \"{'shop_person': '7'}\", the example says [7]"),
            ("{given: {id: 7}, gives: null}", "it is "),
            ("{given: {name: A}, gives: {}}", "the example fails: missing"),
            ("{given: {id: 7, born: soon}, gives: {}}", "the example fails: expected a date"),
        ],
    )
    def test_wrong_ones_say_what_differs_and_where(self, example, problem):
        (found,) = self.problems(["{given: {id: 7}, gives: {}}", example])
        assert found.startswith(f"shop/things.yaml:10: {problem}")

    def test_a_filtered_example_is_null(self):
        text = "when: a\nexamples:\n  - {given: {}, gives: null}\n  - {given: {}, gives: {name: x}}"
        assert run_examples(case(more=text)) == ["shop/things.yaml:9: the record is left out, the example says {'name': 'x'}"]

    def test_lists_are_compared_in_order(self):
        order = "source: s.o\ntarget: order\nfields: {number: n, order_date: d}\nitems: {each: l, fields: {sku: s}}\nexamples:\n  - "
        given = "{given: {n: 1, d: 2026-01-02, l: [{s: A}, {s: B}]}, gives: {items: "
        assert run_examples(pull(f"{order}{given}[{{sku: A}}, {{sku: B}}]}}}}")) == []
        assert run_examples(pull(f"{order}{given}[{{sku: A}}, {{sku: C}}]}}}}")) == [
            "shop/things.yaml:6: items[1].sku is 'B', the example says 'C'"
        ]
        assert len(run_examples(pull(f"{order}{given}[{{sku: A}}]}}}}"))) == 1

    def test_examples_of_pushes(self):
        text = PUSH + "when: role\nexamples:\n  - {given: {role: a, formatted_name: A}, gives: {name: B}}\n  - {given: {}, gives: null}"
        assert run_examples(push(text)) == ["shop/things.yaml:6: name is 'A', the example says 'B'"]


@pytest.mark.parametrize(
    "name",
    [
        "email/messages", "salesforce/cases", "salesforce/contacts", "sql/customers", "sql/order_lines", "sql/orders", "x/direct_messages",
        "x/mentions", "zendesk/comments", "zendesk/organizations", "zendesk/satisfaction_ratings", "zendesk/tickets", "zendesk/users",
    ],
)  # fmt: skip
def test_shipped_pull_mappings_keep_their_examples(name):
    mapping = pull_mapping(name, "s", region="DE", functions=connector_class(name.partition("/")[0]).functions)
    assert mapping.tree.examples
    assert run_examples(mapping) == []


def test_every_stream_has_a_mapping_and_every_object_too():
    for name in installed():
        kind = connector_class(name)
        for stream in kind.streams:
            mapping = pull_mapping(stream.mapping, "s", functions=kind.functions)
            assert mapping.tree.source == f"{name}.{stream.name}"
        for item in getattr(kind, "objects", ()):
            mapping = push_mapping(f"{name}/push/{item.name}", functions=kind.functions)
            assert mapping.tree.target == f"{name}.{item.name}"
            assert mapping.tree.examples
            assert run_examples(mapping) == []


def test_functions_of_another_connector_are_not_known():
    assert "the connector has no function named 'person_name'" in complaint(pull_mapping, "salesforce/contacts", "s", functions={})
