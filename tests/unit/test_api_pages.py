"""The pages say what the views hold, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from fastapi import FastAPI

from tests.unit.pages_fixture import MARA, MERGED, NOBODY, NOW, Shelf, busy, calm, hits, mara
from tests.unit.pages_reading import Seen, read_page
from tests.unit.pages_server import serving
from threadline.api.app import create_app
from threadline.journey.views import CustomerView
from threadline.sync.health import Health, MatchingHealth

PREFIX = "/ops/threadline"


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(scope="module")
def address(shelf) -> Iterator[str]:
    outer = FastAPI()
    outer.mount(PREFIX, create_app(shelf, lambda: None))
    with serving(outer) as found:
        yield found + PREFIX


@pytest.fixture
def see(address, shelf):
    """Show a page for views of the test's choice."""

    def look(path: str, *, health: Health | None = None, customer: CustomerView | None = None) -> Seen:
        shelf.state, shelf.people[MARA] = health or busy(), customer or mara()
        answer = requests.get(f"{address}/{path}", timeout=5)
        assert answer.status_code == 200
        return read_page(answer.text)

    return look


def test_every_link_leads_somewhere_under_any_prefix(address):
    todo, done = [f"{address}/"], set()
    while todo:
        page = todo.pop()
        answer = requests.get(page, timeout=5)
        assert answer.status_code == 200, page
        assert answer.url.startswith(address)
        done.add(page)
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        for link in read_page(answer.text).addresses():
            target = urlsplit(urljoin(answer.url, link))._replace(fragment="").geturl()
            if target.startswith("http") and target not in done and target not in todo:
                todo.append(target)
    paths = {urlsplit(page).path.removeprefix(PREFIX) for page in done}
    assert paths == {"/", "/health", "/customers", "/static/threadline.css", "/static/theme.js", "/static/search.js"}


def test_links_of_a_customer_hold_under_a_prefix(address):
    page = read_page(requests.get(f"{address}/customers/{MARA}", timeout=5).text)
    assert "../health" in page.addresses()
    for link in page.addresses():
        if not link.startswith(("#", "data:")):
            assert requests.get(urljoin(f"{address}/customers/{MARA}", link), timeout=5).status_code == 200, link


def test_health_names_each_task_and_its_command(see):
    page = see("health")
    assert "Seven things need a person. 5 of 13 streams and targets are fresh, 2 have not run yet." in page.text
    assert "helpdesk.tickets and helpdesk.users stopped: last good sync 41 min ago. Correct the cause, then pull again." in page.text
    assert "Zendesk refused the token" in page.text
    assert "451 records of 3 streams could not be used." in page.text
    assert "threadline dead list" in page.text
    assert "acme-on-x.mentions does not balance: 3 of 2,210 records read are not accounted for." in page.text
    assert "shop.orders is late: no good sync for 14 min." in page.text
    assert "Nothing to do yet: 96 pushes to support-mail.reply (the oldest 2 min ago) wait" in page.text
    assert "threadline.yaml: source forum cannot be used." in page.text
    assert "every record read is accounted for" not in page.text.lower()


def test_health_puts_first_what_needs_eyes(see):
    rows = see("health").text.partition("Streams in")[2]
    order = ["helpdesk.tickets", "helpdesk.users", "acme-on-x.mentions", "shop.orders", "erp.orders", "crm.cases"]
    assert [rows.index(name) for name in order] == sorted(rows.index(name) for name in order)


def test_a_ledger_adds_up_or_says_so(see):
    page = see("health")
    assert page.text.count("read but not accounted for") == 1
    kinds = page.each("dl", "class")
    assert kinds.count("eq k6 off") == 1
    assert kinds.count("eq k6") == 8
    too_much = replace(calm().streams[0], ledger=replace(calm().streams[0].ledger, read=4000), state="unbalanced")
    assert "102 accounted for but not read" in see("health", health=replace(calm(), streams=(too_much,))).text


def test_a_calm_night_is_quiet(see):
    page = see("health", health=calm())
    assert "Nothing needs a person." in page.text
    assert "1 of 1 streams and targets is fresh. Every record read is accounted for." in page.text
    assert "tasks" not in page.each("ol", "class")
    assert page.each("tr", "class") == ["calm"]


def test_what_vendors_allow_is_shown_with_the_scarcest_first(see):
    said = see("health").text.partition("What vendors allow")[2]
    rows = [
        "zendesk acme exports renewed in 42 s Used up 10 of 10 0 0",
        "acme-on-x posts renewed in 12 days Used up in 3 days 810 of 900 90 0",
        "crm acme.my requests comes back bit by bit Lasts 3,100 of 4,500 1,400 500",
    ]
    assert [said.index(row) for row in rows] == sorted(said.index(row) for row in rows)
    assert "What vendors allow" not in see("health", health=calm()).text


def test_matching_says_when_it_learned_and_what_waits_for_somebody(see):
    said = see("health").text
    assert "Learned 7 h 5 min ago; it joins 1,204 pairs of customers who share no value. 37 pairs wait for somebody to decide:" in said
    assert "threadline identity review list" in said
    assert "Matching" not in see("health", health=calm()).text
    new = MatchingHealth(schedule="@daily", state="never", learned=None, lag=None, joined=0, review=1)
    said = see("health", health=replace(calm(), matching=new)).text
    assert "Has not learned yet. 1 pair waits for somebody" in said
    assert "Nothing needs a person." in said


def test_health_loads_itself_again(see):
    assert "30" in see("health").each("meta", "content")


def test_without_a_stream_it_says_what_to_do(see):
    page = see("health", health=Health(as_of=NOW, streams=(), targets=(), problems=()))
    assert "No stream yet. Add a source to threadline.yaml" in page.text
    assert "Targets out" not in page.text


def test_a_customer_is_one_line_over_all_channels(see):
    page = see(f"customers/{MARA}")
    assert "One customer, 2 threads: 4 channels, 4 systems, 1 open case. Last word: the company, Sat 21 Nov 2026 09:30." in page.text
    lanes = page.text.partition("times in UTC")[2].partition("Order 88412 placed")[0].split()
    assert lanes[:5] == ["E-mail", "Social", "Tickets", "Phone", "Orders"]
    knots = [name for name in page.each("li", "class") if name.startswith("c-")]
    assert knots == [
        "c-order x4", "c-email x0", "c-ticket x2", "c-email x0", "c-ticket x2", "c-social x1", "c-social x1", "c-voice x3", "c-order x4",
        "c-email x0",
    ]  # fmt: skip
    assert "k5" in " ".join(page.each("ol", "class"))
    told = ["wrote an e-mail", "Case 48211 opened", "left an internal note", "posted in public", "wrote a direct message", "Jo Ruiz called"]
    assert [page.text.index(words) for words in told] == sorted(page.text.index(words) for words in told)


def test_each_entry_says_where_it_comes_from_and_why_it_is_here(see):
    text = see(f"customers/{MARA}").text
    assert "Joined to this thread: 0.97 names order 88412 (0.60); same e-mail as the order (0.30)" in text
    assert "Joined to this thread: certain answers <a1@posteo.example>" in text
    assert text.count("Joined to this thread") == 9  # all but the oldest
    assert "184.90 EUR · Delivered · shop" in text


def test_what_stands_beside_the_thread(see):
    page = see(f"customers/{MARA}")
    assert "m.lindqvist@posteo.example crm, helpdesk, shop agree" in page.text
    assert "+49405550142 crm · most recent" in page.text
    for words in (
        "+49405550142",
        "+491715550188",
        "Quiet 21:00 to 09:00",
        "helpdesk, set 3 Mar 2026",
        "same handle as helpdesk zendesk_user 9931",
    ):
        assert words in page.text
    assert "the others join to this record" in page.text


def test_an_earlier_thread_is_one_link_away(see):
    assert "?thread=T0" in see(f"customers/{MARA}").addresses()
    older = see(f"customers/{MARA}?thread=T0")
    assert "Thread of 2 Jul 2025" in older.text
    assert "Copy of my invoice" in older.text
    assert "?thread=T1" in older.addresses()
    assert "k1" in " ".join(older.each("ol", "class"))


def test_a_thread_that_is_gone_is_not_another_one(address):
    answer = requests.get(f"{address}/customers/{MARA}?thread=T9", timeout=5)
    assert answer.status_code == 404
    assert "no such thread" in answer.text


def test_a_customer_of_whom_little_is_known(see):
    bare = replace(mara(), facts=(), threads=(), cases=(), orders=(), preferences=(), records=mara().records[:1])
    page = see(f"customers/{MARA}", customer=bare)
    assert "No conversation yet" in page.text
    assert "1 record of this customer, but no message, case or order." in page.text
    assert "the only record" in page.text
    assert page.text.count("None known.") == 3


def test_a_long_message_does_not_hide_the_thread(see):
    thread = mara().threads[0]
    words = " ".join(f"word{number}" for number in range(400))
    entry = replace(thread.entries[1], text=words)
    page = see(f"customers/{MARA}", customer=replace(mara(), threads=(replace(thread, entries=(entry,)),)))
    lead, _, rest = page.text.partition("Show the rest, ")
    assert "word50 " in lead
    assert "word399" not in lead
    assert "word399" in rest
    assert [word for word in page.text.split() if word.startswith("word") and word[4:].isdigit()] == words.split()


def test_a_search_lists_what_it_finds(see, shelf):
    page = see("customers?q=lindq%00%20")
    assert shelf.asked[-1] == "lindq"
    assert "2 customers found" in page.text
    assert f"customers/{MARA}" in page.addresses()
    assert "e-mail m.lindqvist@posteo.example" in page.text


def test_the_only_answer_is_opened_at_once(address, shelf):
    shelf.found = hits()[:1]
    answer = requests.get(f"{address}/customers?q=mara", allow_redirects=False, timeout=5)
    shelf.found = hits()
    assert answer.status_code == 303
    assert urljoin(f"{address}/customers?q=mara", answer.headers["Location"]) == f"{address}/customers/{MARA}"


def test_nobody_found_says_what_was_looked_at(see, shelf):
    shelf.found = ()
    page = see("customers?q=mara%40posteo")
    shelf.found = hits()
    assert "No customer for “mara@posteo”. Searched e-mail, phone, handle, order number and name." in page.text
    assert page.each("input", "value") == ["mara@posteo"]


def test_an_empty_search_asks_nobody(see, shelf):
    before = list(shelf.asked)
    assert "Find a customer by" in see("customers?q=%20%00").text
    assert shelf.asked == before


@pytest.mark.parametrize("path", [f"customers/{NOBODY}", "customers/nobody", "customers/%00", "customers/' or 1=1"])
def test_a_customer_who_is_not_there(address, path):
    answer = requests.get(f"{address}/{path}", timeout=5)
    assert answer.status_code == 404
    assert "No customer has this id." in answer.text
    assert "../customers" in read_page(answer.text).addresses()


def test_a_merged_customer_is_found_under_the_new_id(address):
    answer = requests.get(f"{address}/customers/{MERGED.lower()}", allow_redirects=False, timeout=5)
    assert answer.status_code == 307
    assert urljoin(answer.url, answer.headers["Location"]) == f"{address}/customers/{MARA}"


def test_a_search_of_any_length_is_answered(address):
    answer = requests.get(f"{address}/customers", params={"q": "x" * 201}, timeout=5)
    assert answer.status_code == 422
    assert "q: String should have at most 200 characters." in read_page(answer.text).text
