"""What the customers and agents of the make-believe company do: each function is a script for the `Desk`.

Hours are those of the real world; the desk may let them pass faster.
"""

from threadline.testing import phrases, topics
from threadline.testing.desk import CaseChannel, Desk, Matter, Script
from threadline.testing.people import Customer
from threadline.testing.phrases import Words, letter, reply, say
from threadline.testing.story import Role


def pick_topic(desk: Desk, customer: Customer, *, general: bool = False) -> Matter:
    """Begin a matter: trouble with an order that is yet to be placed, or something that has to do with no order."""
    topic = desk.rng.choice(topics.GENERAL_TOPICS if general else topics.ORDER_TOPICS)
    return desk.begin(Matter(customer, desk.rng.choice(desk.agents), topic, desk.rng.choice(phrases.GEAR)[1]))


def purchase(desk: Desk, matter: Matter) -> Script:
    """An order is placed and shipped; it arrives, unless its not arriving is what the customer will write about."""
    wanted = next(article for article in phrases.GEAR if article[1] == matter.item)
    articles = [wanted, *desk.rng.sample(phrases.SUNDRIES, desk.rng.choice((0, 0, 1, 2, 3)))]
    desk.order(matter, tuple((sku, text, desk.rng.choice((1, 1, 1, 2)), cents) for sku, text, cents in articles))
    number = str(matter.order)
    yield desk.at_work(4, 30)
    desk.move_order(number, "shipped", matter)
    if not matter.topic.undelivered:
        yield desk.at_work(20, 48)
        desk.move_order(number, "delivered", matter)


def uneventful(desk: Desk, matter: Matter) -> Script:
    """An order about which there is nothing to say."""
    yield from purchase(desk, matter)
    if matter.topic.undelivered:
        yield desk.at_work(20, 60)
        desk.move_order(str(matter.order), "delivered", matter)


def troubled(desk: Desk, matter: Matter, role: Role) -> Script:
    """An order about which the customer speaks up, on one channel."""
    yield from purchase(desk, matter)
    yield desk.later(10, 60)
    if role == "mail":
        yield from order_mails(desk, matter)
    elif role == "social":
        yield from complaint(desk, matter)
    elif role == "tickets":
        yield from ticket(desk, matter)
    else:
        yield from call(desk, matter)
    yield from settle_order(desk, matter)


def settle_order(desk: Desk, matter: Matter) -> Script:
    """In the end the order arrives, or goes back."""
    if matter.topic.undelivered or matter.topic.returned:
        yield desk.at_work(12, 40)
        desk.move_order(str(matter.order), "returned" if matter.topic.returned else "delivered", matter)


def order_mails(desk: Desk, matter: Matter) -> Script:
    """The customer writes about the order; one in four forgets to say which, and is asked."""
    if desk.rng.random() < 0.75:
        yield from mails(desk, matter)
        return
    unnumbered = desk.begin(Matter(matter.customer, matter.agent, matter.topic, matter.item))
    words = unnumbered.words()
    unnumbered.subject = say(desk.rng, matter.topic.subjects, words)
    desk.mail(unnumbered, "inbound", letter(desk.rng, say(desk.rng, matter.topic.asks, words), words))
    yield desk.at_work(1, 8)
    desk.mail(unnumbered, "outbound", reply(desk.rng, say(desk.rng, phrases.ASK_NUMBER, words), words))
    yield desk.later(1, 20)
    desk.mail(unnumbered, "inbound", letter(desk.rng, say(desk.rng, phrases.GIVE_NUMBER, matter.words()), words))
    # Only now does something written down tell that the mails belong to the order.
    matter.absorb(unnumbered)
    yield desk.at_work(1, 8)
    desk.mail(matter, "outbound", reply(desk.rng, say(desk.rng, matter.topic.answers, matter.words()), words))


def mails(desk: Desk, matter: Matter) -> Script:
    """The customer writes an e-mail and is answered; some have one more question, some say thank you."""
    words = matter.words()
    matter.subject = say(desk.rng, matter.topic.subjects, matter.words(mention=desk.rng.random() < 0.5))
    desk.mail(matter, "inbound", letter(desk.rng, _with_number(matter, say(desk.rng, matter.topic.asks, words)), words))
    yield desk.at_work(1, 10)
    desk.mail(matter, "outbound", reply(desk.rng, say(desk.rng, matter.topic.answers, words), words))
    if desk.rng.random() < 0.15:
        yield desk.later(1, 20)
        desk.mail(matter, "inbound", letter(desk.rng, say(desk.rng, phrases.FOLLOW_UPS, words), words))
        yield desk.at_work(1, 10)
        desk.mail(matter, "outbound", reply(desk.rng, say(desk.rng, phrases.FOLLOW_UP_ANSWERS, words), words))
    if desk.rng.random() < 0.15:
        yield desk.later(1, 20)
        desk.mail(matter, "inbound", letter(desk.rng, say(desk.rng, phrases.THANKS, words), words))


def _with_number(matter: Matter, text: str) -> str:
    return text if not matter.order or matter.order in text else f"{text}\n\nOrder number: {matter.order}"


def posts(desk: Desk, matter: Matter) -> Script:
    """The customer mentions the company in public, or asks in a direct message; most are answered."""
    words = matter.words()
    direct = desk.rng.random() < 0.2 and desk.claim_direct_messages(matter)
    desk.post(matter, "inbound", say(desk.rng, matter.topic.asks if direct else matter.topic.posts, words), direct=direct)
    if desk.rng.random() < 0.6:
        yield desk.at_work(0.2, 4)
        text = f"Hi {words.given}! {say(desk.rng, matter.topic.answers, words)} /{words.agent}"
        desk.post(matter, "outbound", text, direct=direct)


def complaint(desk: Desk, matter: Matter) -> Script:
    """The customer complains in public about an order; it goes on in direct messages, once for each customer."""
    words = matter.words()
    desk.post(matter, "inbound", say(desk.rng, matter.topic.posts, words))
    yield desk.at_work(0.2, 3)
    desk.post(matter, "outbound", say(desk.rng, phrases.PUBLIC_REPLIES, words))
    if desk.rng.random() < 0.6 and desk.claim_direct_messages(matter):
        yield desk.later(0.2, 5)
        desk.post(matter, "inbound", say(desk.rng, phrases.DIRECT_MESSAGES, words), direct=True)
        yield desk.at_work(0.2, 3)
        desk.post(matter, "outbound", say(desk.rng, phrases.DIRECT_REPLIES, words), direct=True)


def _open_ticket(desk: Desk, matter: Matter, texts: tuple[str, ...]) -> int:
    # The number stands in the ticket's field, in its text, or in both.
    dice = desk.rng.random() if matter.order else 0.5
    said = matter.words(mention=dice < 0.7)
    subject = say(desk.rng, matter.topic.subjects, said)
    text = say(desk.rng, texts, said)
    in_text = matter.order is not None and matter.order in text + subject
    by_phone = "email" not in matter.customer.known["tickets"].fields
    channel: CaseChannel = "voice" if by_phone else desk.rng.choice(("web", "web", "email", "chat"))
    field = matter.order if not in_text or dice > 0.4 else None
    return desk.open_case(matter, "tickets", subject, text, channel, field)


def ticket(desk: Desk, matter: Matter) -> Script:
    """The customer opens a ticket; agents note, answer and solve, and after some days it is closed."""
    case = _open_ticket(desk, matter, matter.topic.asks)
    customer, words = matter.customer.known["tickets"].person, matter.words()
    yield desk.at_work(0.5, 14)
    if desk.rng.random() < 0.3:
        desk.comment(case, matter.agent, say(desk.rng, phrases.NOTES, words), public=False, matter=matter)
    again = desk.rng.random() < 0.45
    first = matter.topic.holding if again and matter.topic.holding else matter.topic.answers
    desk.comment(case, matter.agent, _to_customer(desk, say(desk.rng, first, words), words), matter=matter)
    desk.move_case("tickets", case, "open" if again else "pending", matter)
    if again:
        yield desk.later(3, 30)
        desk.comment(case, customer, say(desk.rng, matter.topic.nudges or phrases.FOLLOW_UPS, words), matter=matter)
        yield desk.at_work(1, 14)
        answers = matter.topic.answers if matter.topic.holding else phrases.FOLLOW_UP_ANSWERS
        desk.comment(case, matter.agent, _to_customer(desk, say(desk.rng, answers, words), words), matter=matter)
        desk.move_case("tickets", case, "pending", matter)
    yield desk.at_work(12, 60)
    desk.move_case("tickets", case, "solved", matter)
    yield desk.at_work(96, 97)
    desk.move_case("tickets", case, "closed", matter)


def _to_customer(desk: Desk, text: str, words: Words) -> str:
    return f"{desk.rng.choice(('Hello', 'Hi', 'Dear'))} {words.given},\n\n{text}\n\n{words.agent}, Nordlicht Outdoor"


def call(desk: Desk, matter: Matter) -> Script:
    """The customer calls when somebody is there, and an agent writes a case into the CRM."""
    yield desk.at_work(0, 1)
    words = matter.words()
    subjects, notes = (phrases.CALLS, phrases.CALL_NOTES) if matter.order else (phrases.GENERAL_CALLS, phrases.GENERAL_CALL_NOTES)
    text = say(desk.rng, notes, words)
    field = matter.order if desk.rng.random() < 0.5 else None
    case = desk.open_case(matter, "crm", say(desk.rng, subjects, words), text, "voice", field)
    yield desk.at_work(2, 20)
    desk.move_case("crm", case, "open", matter)
    yield desk.at_work(5, 60)
    desk.move_case("crm", case, "closed", matter)


def journey(desk: Desk, matter: Matter, route: tuple[Role, ...], *, stays_open: bool) -> Script:
    """A customer asks about one order on one channel after the other, until an agent answers in the ticket."""
    yield from purchase(desk, matter)
    case = 0
    texts = matter.topic.asks
    for role in route:
        yield desk.at_work(2, 8) if role == "crm" else desk.later(2, 14)
        if role == "tickets":
            case = _open_ticket(desk, matter, texts)
        elif role == "social":
            desk.post(matter, "inbound", say(desk.rng, matter.topic.posts, matter.words()))
        elif role == "crm":
            _call_in_passing(desk, matter)
        else:
            yield from _mail_in_passing(desk, matter, texts, answered=role != route[-1])
        matter.spoke_last = role
        texts = matter.topic.nudges
    yield desk.at_work(0.5, 5)
    words = matter.words()
    answer = _to_customer(desk, say(desk.rng, matter.topic.answers, words), words)
    matter.answer = desk.comment(case, matter.agent, answer, matter=matter)
    desk.move_case("tickets", case, "pending" if stays_open else "open", matter)
    if not stays_open:
        yield from _happy_end(desk, matter, case)


def _call_in_passing(desk: Desk, matter: Matter) -> None:
    words = matter.words()
    case = desk.open_case(
        matter, "crm", say(desk.rng, phrases.CALLS, words), say(desk.rng, phrases.CALL_NOTES, words), "voice", matter.order
    )
    desk.move_case("crm", case, "open", matter)


def _mail_in_passing(desk: Desk, matter: Matter, texts: tuple[str, ...], *, answered: bool) -> Script:
    words = matter.words()
    matter.subject = say(desk.rng, matter.topic.subjects, words)
    desk.mail(matter, "inbound", letter(desk.rng, _with_number(matter, say(desk.rng, texts, words)), words))
    if answered:
        yield desk.at_work(1, 5)
        desk.mail(matter, "outbound", reply(desk.rng, say(desk.rng, matter.topic.holding, words), words))


def _happy_end(desk: Desk, matter: Matter, case: int) -> Script:
    yield desk.later(2, 20)
    thanks = say(desk.rng, phrases.THANKS, matter.words())
    desk.comment(case, matter.customer.known["tickets"].person, thanks, matter=matter)
    yield desk.at_work(1, 5)
    desk.move_case("tickets", case, "solved", matter)
    yield from settle_order(desk, matter)


def late_answer(desk: Desk, case: int) -> Script:
    """A ticket that was left open is answered and solved."""
    agent = desk.rng.choice(desk.agents)
    desk.comment(case, agent, say(desk.rng, phrases.LATE_ANSWERS, Words("", agent.given_name, "")))
    yield desk.at_work(2, 10)
    desk.move_case("tickets", case, "solved")
