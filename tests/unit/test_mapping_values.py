"""Where a value comes from: paths, verbs and what is missing (docs/mapping.md)."""

import msgspec
import pytest

from tests.unit.mapping_bench import case, complaint, made, party, pull, refused, value_of


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("a", {"a": "x"}),
        ("a.b.c", {"a": {"b": {"c": "x"}}}),
        ("{from: a.b}", {"a": {"b": "x"}}),
        ('{from: ["a.b", c]}', {"a.b": {"c": "x"}, "a": {"b": {"c": "no"}}}),
        ('{from: ["a"]}', {"a": "x"}),
        ("Größe.😀", {"Größe": {"😀": "x"}}),
        ("class.def", {"class": {"def": "x"}}),
        ("__class__.f0", {"__class__": {"f0": "x"}}),
    ],
)
def test_a_path_leads_to_its_value(path, record):
    assert value_of(path, record) == "x"


@pytest.mark.parametrize("record", [{}, {"a": None}, {"a": {}}, {"a": {"b": None}}, {"a": {"b": ""}}])
def test_absent_null_and_empty_are_missing(record):
    mapping = case("name: a.b")
    error = refused(mapping, record)
    assert (str(error), error.path, error.site) == ("missing; give it a `default` or mark it `optional`", "$.a.b", "shop/things.yaml:6")
    assert value_of("{from: a.b, optional: true}", record) is None
    assert value_of("{from: a.b, default: web}", record) == "web"


@pytest.mark.parametrize("value", [0, False, 0.0, "0", " "])
def test_what_is_there_is_not_missing(value):
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    assert value_of("a", {"a": value}) == text


def test_a_default_alone_is_a_constant():
    assert value_of("{default: web}", {"web": "no"}) == "web"
    assert value_of("{default: null}", {}) is None
    assert made(case("escalated: {default: true}"), {})["escalated"] is True


def test_the_same_place_may_be_read_whole_by_part_and_by_element():
    mapping = case(
        """
        name: via.channel
        description: {from: to, where: {id: 2}, take: name}
        """,
        more="""
        extensions: {via: via, to: to, all: $}
        """,
    )
    record = {"via": {"channel": "web", "more": [1]}, "to": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}
    found = made(mapping, record)
    assert (found["name"], found["description"]) == ("web", "b")
    assert found["extensions"] == {"via": record["via"], "to": record["to"], "all": record}


@pytest.mark.parametrize("wrong", [5, "text", [1], True])
def test_a_path_through_something_else_says_so(wrong):
    error = refused(case("name: via.channel"), {"via": wrong})
    assert str(error).startswith("expected a mapping, found a") or str(error) == "expected a mapping, found true or false"
    assert (error.path, error.site) == ("$.via", "shop/things.yaml:6")
    # Read whole as well, the place may hold anything: what is not there is missing.
    whole = case("name: {from: via.channel, optional: true}", more="extensions: {via: via}")
    assert made(whole, {"via": wrong})["extensions"] == {"via": wrong}


def test_the_line_is_the_first_that_reads_the_place():
    mapping = case("name: {default: x}\ndescription: a.b.c\npriority: a.b.d", more="when: {a.b.c: '*'}")
    assert refused(mapping, {"a": {"b": 1}}).site == "shop/things.yaml:7"
    assert refused(case("name: {template: 'x{a.b}'}"), {"a": 1}).site == "shop/things.yaml:6"
    assert refused(case("order_ref: {from: n.o, optional: true}", more="extensions: {x: m.z}"), {"m": 1}).site == "shop/things.yaml:7"
    assert refused(case("name: {default: x, when: {q.r: 1}}"), {"q": []}).site == "shop/things.yaml:6"


LIST = [{"id": 1, "v": "a"}, None, {"id": 7, "v": "b", "w": {"x": 1}}, {"id": 7, "v": "c", "w": {"x": 2}}]


class TestWhere:
    @pytest.mark.parametrize(
        ("where", "wanted"),
        [
            ("{id: 7}", "b"), ("{id: 7, v: c}", "c"), ("{id: 8}", None), ("{id: '7'}", None), ("{w.x: 2}", "c"), ("{v: a}", "a"),
        ],
    )  # fmt: skip
    def test_the_first_element_with_these_values_counts(self, where, wanted):
        value = f"{{from: list, where: {where}, take: v, optional: true}}"
        assert value_of(value, {"list": LIST}) == wanted
        assert made(case(f"name: {value}", more="extensions: {list: list}"), {"list": LIST}).get("name") == wanted

    @pytest.mark.parametrize("record", [{}, {"list": None}, {"list": []}, {"list": [{"id": 9}]}, {"list": [{"id": 7}]}])
    def test_no_such_element_is_missing(self, record):
        error = refused(case("name: {from: list, where: {id: 7}, take: v}"), record)
        assert str(error).startswith("missing")
        assert error.path == "$.list[*].v"

    def test_without_take_it_is_the_element_itself(self):
        mapping = case(more="extensions: {x: {from: list, where: {id: 7}}}")
        assert made(mapping, {"list": LIST})["extensions"] == {"x": LIST[2]}
        assert refused(case("name: {from: list, where: {id: 7}}"), {"list": LIST}).path == "$.list[*]"

    def test_what_is_no_list_of_mappings_is_an_error(self):
        value = "{from: list, where: {id: 7}, take: v, optional: true}"
        error = refused(case(f"name: {value}"), {"list": {"id": 7}})
        assert (str(error), error.path, error.site) == ("expected a list, found a mapping", "$.list", "shop/things.yaml:6")
        error = refused(case(f"name: {value}"), {"list": [{"id": 1}, 5]})
        assert (str(error), error.path, error.site) == ("expected a mapping, found a number", "$.list[1]", "shop/things.yaml:6")
        error = refused(case(f"name: {value}", more="extensions: {x: {from: list, optional: true}}"), {"list": 5})
        assert (str(error), error.path, error.site) == ("expected a list, found a number", "$.list[*].v", "shop/things.yaml:6")


class TestEach:
    def receivers(self, value, record):
        fields = "{direction: {default: inbound}, channel: {default: email}, interaction_date: {default: 2026-01-02}}"
        mapping = pull(f"source: shop.mails\ntarget: interaction\nfields: {fields}\nmessage: {{fields: {{receivers: {value}}}}}")
        return made(mapping, record)["message"].get("receivers")

    def test_the_path_in_every_element_makes_a_list(self):
        record = {"to": [{"a": "x@y"}, {"a": None}, {}, None, {"a": ""}, {"a": "Z@y"}]}
        assert self.receivers("{each: to, take: a, optional: true}", record) == ["x@y", "Z@y"]
        assert self.receivers("{each: to, take: a, as: email}", record) == ["x@y", "z@y"]

    def test_elements_may_be_the_values(self):
        assert self.receivers("{each: to}", {"to": ["a", 5, None, "b"]}) == ["a", "5", "b"]

    def test_only_elements_with_the_values_wanted_count(self):
        record = {"to": [{"a": "x@y", "kind": "to"}, {"a": "c@c", "kind": "cc"}, {"a": "z@y", "kind": "to", "of": {"n": 1}}]}
        assert self.receivers("{each: to, where: {kind: to}, take: a}", record) == ["x@y", "z@y"]
        assert self.receivers("{each: to, where: {kind: to, of.n: 1}, take: a}", record) == ["z@y"]
        assert self.receivers("{each: to, where: {kind: bcc}, take: a, optional: true}", record) is None

    @pytest.mark.parametrize("record", [{}, {"to": None}, {"to": []}, {"to": [{"a": None}]}])
    def test_a_list_of_nothing_is_missing(self, record):
        assert self.receivers("{each: to, take: a, optional: true}", record) is None
        with pytest.raises(Exception, match="missing"):
            self.receivers("{each: to, take: a}", record)

    def test_a_list_field_takes_a_list_or_one_text(self):
        assert self.receivers("{from: to}", {"to": ["a", "b", ""]}) == ["a", "b"]
        assert self.receivers("{from: to}", {"to": "a"}) == ["a"]
        assert self.receivers("{from: to, as: email}", {"to": "A@b"}) == ["a@b"]
        assert self.receivers("{from: to, as: email}", {"to": ["A@b", "", None, "c@D"]}) == ["a@b", "c@d"]
        assert self.receivers("{from: to, default: [x, y]}", {}) == ["x", "y"]

    def test_extensions_keep_elements_as_they_are(self):
        mapping = case(more="extensions: {x: {each: to, take: a}}")
        assert made(mapping, {"to": [{"a": {"b": 1}}, {"a": [2]}]})["extensions"] == {"x": [{"b": 1}, [2]]}

    def test_a_list_of_wrong_things_is_an_error(self):
        error = refused(case(more="extensions: {x: {each: to, take: a, as: email}}"), {"to": [{"a": "n/a"}]})
        assert (error.path, error.site) == ("$.to[*].a", "shop/things.yaml:6")
        assert str(error) == 'not an e-mail address; found ["n/a"]'


class TestTemplate:
    @pytest.mark.parametrize(
        ("template", "wanted"),
        [
            ("x:{a.b}", "x:B"), ("{a.b}{n}", "B7"), ("{{{a.b}}}", "{B}"), ("no path", "no path"), ("{t}", "true"), ("{f}", "1.50"),
            ("{a.b} {none}", None),
            ("{a.b} {empty}", None), ("{empty}", None), ("%s %(a)s {a.b} $a", "%s %(a)s B $a"), ('"{a.b}"\\n', '"B"\\n'),
        ],
    )  # fmt: skip
    def test_paths_in_braces_are_filled_in(self, template, wanted):
        record = b'{"a": {"b": "B"}, "n": 7, "t": true, "f": 1.50, "empty": ""}'
        quoted = "'" + template.replace("'", "''") + "'"
        assert value_of(f"{{template: {quoted}, optional: true}}", record) == wanted

    def test_one_missing_part_makes_it_missing(self):
        error = refused(case("name: {template: '{a} {b}'}"), {"a": 1})
        assert str(error).startswith("missing")
        assert value_of("{template: '{a} {b}', default: nobody}", {"a": 1}) == "nobody"

    def test_a_part_that_is_no_text_is_this_lines_error(self):
        error = refused(case("name: {default: x}\ndescription: {template: '{a}'}"), {"a": {"b": 1}})
        assert (str(error), error.path, error.site) == ("expected a text, found a mapping", "$.a", "shop/things.yaml:7")


class TestLookup:
    def test_values_are_translated_as_json_writes_them(self):
        table = "{from: a, lookup: {new: N, 7: seven, true: yes, null: no, 1.50: real, '': empty}, default: none}"
        for given, wanted in [
            ("new", "N"),
            (7, "seven"),
            ("7", "seven"),
            (True, "yes"),
            ("true", "yes"),
            ("null", "no"),
            (None, "none"),
            ("", "none"),
        ]:
            assert value_of(table, {"a": given}) == wanted
        assert value_of(table, b'{"a": 1.50}') == "real"

    def test_not_listed_and_missing_are_different_errors(self):
        mapping = case("status: {from: s.t, lookup: {new: acknowledged, open: in_progress}}")
        unlisted, missing = refused(mapping, {"s": {"t": "old"}}), refused(mapping, {"s": {}})
        assert str(unlisted) == '"old" is not listed in its lookup (new, open); list it or say what it is `otherwise`'
        assert str(missing) == "missing; give it a `default` or mark it `optional`"
        assert {(error.path, error.site) for error in (unlisted, missing)} == {("$.s.t", "shop/things.yaml:5")}

    def test_otherwise_is_for_values_and_default_for_none(self):
        value = "{from: a, lookup: {x: y}, otherwise: other, default: none}"
        assert [value_of(value, record) for record in ({"a": "x"}, {"a": "z"}, {"a": 5}, {})] == ["y", "other", "other", "none"]
        assert value_of("{from: a, lookup: {x: y}, otherwise: null}", {"a": "z"}) is None
        error = refused(case("name: {from: a, lookup: {x: y}, otherwise: other}"), {})
        assert str(error).startswith("missing")

    def test_what_cannot_be_looked_up_is_an_error(self):
        error = refused(case("name: {from: a, lookup: {x: y}, otherwise: other}"), {"a": {"b": 1}})
        assert str(error) == 'expected a text, found a mapping; found {"b":1}'

    def test_a_lookup_may_give_other_kinds(self):
        assert made(case("escalated: {from: a, lookup: {hot: true, cold: false}}"), {"a": "hot"})["escalated"] is True


class TestWhen:
    def test_a_value_counts_only_where_it_holds(self):
        for value, wanted in [
            ("{from: a, when: b}", None),
            ("{from: a, when: b, default: d}", "d"),
            ("{from: a, when: b, optional: true}", None),
        ]:
            assert value_of(value, {"a": "x", "b": 1}) == "x"
            assert value_of(value, {"a": "x"}) == wanted

    def test_where_it_holds_the_value_must_be_there(self):
        assert str(refused(case("name: {from: a, when: b}"), {"b": 1})).startswith("missing")
        assert value_of("{from: a, when: b, default: d}", {"b": 1}) == "d"
        assert value_of("{from: a, when: b, optional: true}", {"b": 1}) is None

    def test_a_field_that_must_have_a_value_has_one(self):
        mapping = case("status: {from: s, when: b}")
        assert made(mapping, {"s": "held", "b": 1})["status"] == "held"
        error = refused(mapping, {"s": "held"})
        assert (error.path, error.site) == ("$.s", "shop/things.yaml:5")
        assert made(case("status: {from: s, when: b, default: closed}"), {"s": "held"})["status"] == "closed"


def refuse(value):
    raise ValueError("no answer")


FUNCTIONS = {
    "double": lambda value: value * 2,
    "none": lambda value: None,
    "refuse": refuse,
    "break": lambda value: value["x"]["y"],
    "size": len,
}


class TestCall:
    def test_the_function_gets_the_value(self):
        assert value_of("{from: a, call: double}", {"a": "x"}, functions=FUNCTIONS) == "xx"
        assert value_of("{from: $, call: size}", {"a": 1, "b": 2}, functions=FUNCTIONS) == "2"
        assert value_of("{from: a, call: double, lookup: {xx: y}}", {"a": "x"}, functions=FUNCTIONS) == "y"

    def test_nothing_is_not_handed_to_it_and_may_come_back(self):
        assert value_of("{from: a, call: break, default: d}", {}, functions=FUNCTIONS) == "d"
        assert value_of("{from: a, call: none, default: d}", {"a": "x"}, functions=FUNCTIONS) == "d"
        assert str(refused(case("name: {from: a, call: none}", functions=FUNCTIONS), {"a": "x"})).startswith("missing")

    def test_its_refusal_is_the_records_error(self):
        error = refused(case("name: {from: a, call: refuse}", functions=FUNCTIONS), {"a": "x"})
        assert (str(error), error.path, error.site) == ('no answer; found "x"', "$.a", "shop/things.yaml:6")

    @pytest.mark.parametrize("value", ["x", 5, [], {"x": {}}, True])
    def test_its_failure_costs_the_record_only(self, value):
        error = refused(case("name: {from: a, call: break}", functions=FUNCTIONS), {"a": value})
        assert str(error).startswith("`call: break` cannot take it (")

    def test_an_unknown_function_is_refused_with_the_nearest(self):
        message = complaint(case, "name: {from: a, call: dubble}", functions=FUNCTIONS)
        assert message == "shop/things.yaml:6: the connector has no function named 'dubble'; did you mean 'double'?"


def test_extensions_keep_what_is_there_as_it_is():
    mapping = case(more="extensions: {a: a, b: {from: b, optional: true}, n: {from: n, as: text}, c: {default: 1}}")
    found = made(mapping, b'{"a": {"x": [1, 1.10, 1e400, 123456789012345678901234567890, null]}, "b": null, "n": 5}')
    assert found["extensions"]["n"] == "5"
    row = mapping(b'{"a": [1.10, 1e400, 12345678901234567890.5, 123456789012345678901234567890], "n": 5}', "K", b"", b"").row
    # What is beyond any number's range is text from here on: whoever reads it back could not hold it.
    assert '{"a":[1.10,"1e400",12345678901234567890.5,123456789012345678901234567890],"n":"5","c":1}' in row
    assert "extensions" not in made(case(more="extensions: {b: {from: b, optional: true}}"), {})


def test_nothing_is_known_of_fields_that_are_not_mapped():
    assert made(party(), {"id": 7}) == {"kind": "individual", "role": "customer", "identifiers": {"shop_person": "7"}}
