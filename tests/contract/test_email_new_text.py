"""What a mail says anew is told apart from what it quotes, and nothing is cut away on a mere suspicion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.reply import new_text

QUOTE = "> Shall we send another one?\n>\n> Shop"
OUTLOOK = "\nSent: Monday, 2 March 2026 09:15\nTo: Ana\nSubject: Order 17\n\nShall we send another one?"


@pytest.mark.parametrize(
    "text",
    [
        f"Yes please.\n\nOn Mon, Mar 2, 2026 at 9:15 AM Shop <support@shop.example> wrote:\n{QUOTE}",
        f"Yes please.\n\nAm 02.03.2026 um 09:15 schrieb Shop Support:\n{QUOTE}",
        f"Yes please.\n\nLe lun. 2 mars 2026 à 09:15, Shop <support@shop.example> a écrit :\n\n{QUOTE}",
        f"Yes please.\n\nEm seg., 2 de mar. de 2026 às 09:15, Shop <support@shop.example>\nescreveu:\n\n{QUOTE}",
        f"Yes please.\n\nEl lun, 2 mar 2026 a las 9:15, Shop (<support@shop.example>) escribió:\n\n{QUOTE}",
        f"Yes please.\n\n-----Original Message-----\nFrom: Shop{OUTLOOK}",
        f"Yes please.\n\n________________________________\nFrom: Shop <support@shop.example>{OUTLOOK}",
        f"Yes please.\n-- \nAna Lima\n+351 21 000\n\nOn Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n{QUOTE}",
        "Yes please.\n\nOn Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n" + "> long\n" * 5_000,
    ],
)
def test_an_answer_is_what_stands_above_the_quote(text: str) -> None:
    assert new_text(text, "Re: Order 17", answers=True) == "Yes please."


SHOP = "Shop Support <support@shop.example>"
INTRODUCED = {
    "Italian": f"Il giorno lun 2 mar 2026 alle ore 09:15 {SHOP} ha scritto:",
    "Polish": f"pon., 2 mar 2026 o 09:15 {SHOP} napisał(a):",
    "Czech": f"po 2. 3. 2026 v 9:15 odesílatel {SHOP} napsal:",
    "Russian": f"пн, 2 мар. 2026 г. в 09:15, {SHOP}:",
    "Japanese": f"2026年3月2日(月) 9:15 {SHOP}:",
    "Chinese": f"{SHOP} 于2026年3月2日周一 09:15写道：",
    "Korean": f"2026년 3월 2일 (월) 오전 9:15, {SHOP}님이 작성:",
    "Turkish": f"{SHOP}, 2 Mar 2026 Pzt, 09:15 tarihinde şunu yazdı:",
    "broken": "On Mon, Mar 2, 2026 at 9:15 AM Shop Support\n<support@shop.example> wrote:",
    "without a date": f"{SHOP} schrieb:",
    "nobody": "",
}


@pytest.mark.parametrize("introduced", INTRODUCED.values(), ids=INTRODUCED)
@pytest.mark.parametrize("form", ["Yes please.\n\n{}\n{}", "Yes please.\n{}\n\n{}", "Yes please.\n\n{}\n{}\n\n-- \nAna Lima"])
def test_what_is_marked_up_to_the_end_is_a_quote_whatever_introduces_it(introduced: str, form: str) -> None:
    assert new_text(form.format(introduced, QUOTE), "Re: Order 17", answers=True) == "Yes please."


HEADS = {
    "Italian": f"Da: {SHOP}\nInviato: lunedì 2 marzo 2026 09:15\nA: Ana\nOggetto: Ordine",
    "Polish": f"Od: {SHOP}\nWysłano: poniedziałek, 2 marca 2026 09:15\nDo: Ana\nTemat: Order",
    "Chinese": f"发件人: {SHOP}\n发送时间: 2026年3月2日 9:15\n收件人: Ana\n主题: Order",
    "bold": f"*From:* {SHOP}\n*Sent:* Monday, March 2, 2026 9:15 AM\n*To:* Ana\n*Subject:* Order",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("rule", ["", "________________________________\n", "-----Messaggio originale-----\n"])
def test_a_head_begins_the_earlier_mail_in_any_language(head: str, rule: str) -> None:
    assert new_text(f"Yes please.\n\n{rule}{head}\n\nShall we send another one?", "Re: Order 17", answers=True) == "Yes please."


@pytest.mark.parametrize(("subject", "said"), [("Re: Order", "Yes."), ("AW: Order", "Yes."), ("Re[2]: Order", "Yes."), ("Reply", None)])
def test_a_subject_tells_of_an_answer_too(subject: str, said: str | None) -> None:
    text = f"Yes.\n\nOn Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n{QUOTE}"
    assert new_text(text, subject, answers=False) == (said or text)


@pytest.mark.parametrize(
    "text",
    [
        "Name: Ana\nOrdered: 2 March, 09:15\nItem: 5\n\nThat is all.",
        "Yes, and this is what I see:\nOrder: 17\nat: 09:15\nfor: ana@mail.example\n",
        "On Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n> Shall we?\n\nYes please.",
        "On Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\n> Shall we?",
        "Below.\n\nOn Mon, Mar 2, 2026 Shop wrote:\n> Shall we?\n\nYes.\n\n> And this?\n\nNo.",
        "Below.\n\nOn Mon, Mar 2, 2026 Shop wrote:\n" + "> long\n" * 500 + "Yes to that.",
        "> You asked:\nI want it.\n> and\nsoon.",
        "I wrote: it is late.\nFrom: here to there\n",
        "It has\n--\nnot come.",
        "Nothing else.",
    ],
)
def test_what_is_no_clear_quote_below_stays(text: str) -> None:
    assert new_text(text, "Re: Order 17", answers=True) == text.strip()


def test_a_signature_ends_any_mail() -> None:
    assert new_text("It has not come.\n-- \nAna Lima", "Order 17", answers=False) == "It has not come."
    assert new_text("\n-- \nAna Lima", "Order 17", answers=False) == "\n-- \nAna Lima"


@pytest.mark.parametrize(("subject", "answers"), [("Fwd: Order", True), ("WG: Order", True), ("FW:Order", True), ("Order", False)])
def test_what_is_passed_on_belongs_to_the_mail(subject: str, answers: bool) -> None:
    text = f"See below.\n\n---------- Forwarded message ---------\nFrom: Shop{OUTLOOK}"
    assert new_text(text, subject, answers=answers) == text


def test_an_answer_between_the_lines_stays_and_what_is_left_unanswered_does_not() -> None:
    text = "> Shall we send it?\nYes.\n> Anything else?\n> Shop"
    assert new_text(text, "Re: Order 17", answers=True) == "> Shall we send it?\nYes."


HOSTILE = ["a: b\n", "From: a\n", "wrote:\n", "On x\n", "--\n", ">", ">\n", "On " + "x" * 70 + "\n", " \n", "_", "-"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_text_that_looks_like_quotes_all_through_is_read_to_its_bound(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece))).strip()
    assert new_text(text, "Re: x", answers=True) in text


@given(
    st.lists(st.sampled_from([*HOSTILE, "text", "\n", "\n\n", "On Mon Shop wrote:\n", "> quoted\n", "-- \n", "Von: a\nAn: b\n"])).map(
        "".join
    )
)
def test_nothing_is_made_up_and_nothing_becomes_empty(text: str) -> None:
    found = new_text(text, "Re: x", answers=True)
    assert bool(found.strip()) == bool(text.strip())
    assert set(found.split()) <= set(text.split())
