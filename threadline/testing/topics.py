"""What the customers of the make-believe company write about, in their words and in the agents'.

Placeholders are those of `threadline.testing.phrases`. Posts and nudges about orders name the order, so they need one;
posts do not mention the company, as every social network does that in its own way.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that makes customers write, and what is said about it on each side."""

    subjects: tuple[str, ...]
    asks: tuple[str, ...]
    """The customer's first words."""
    posts: tuple[str, ...]
    """The same in public, short."""
    answers: tuple[str, ...]
    nudges: tuple[str, ...] = ()
    """The customer again, on another channel."""
    holding: tuple[str, ...] = ()
    """The agent gains time."""
    returned: bool = False
    """The order goes back in the end."""
    undelivered: bool = False
    """The order has not arrived when they write."""


LATE = Topic(
    subjects=("Where is {my_order}?", "{my_order} has not arrived", "Parcel overdue", "Delivery of the {item}"),
    asks=(
        '{my_order} should have been here by now, and the tracking page has said "in transit" ever since. Do you know where it is?',
        "I am still waiting for {my_order}. The carrier tells me to ask you. We leave for the hills on Friday and I need the {item}.",
        "the tracking of {my_order} has not moved since it left your warehouse. What happened? I was at home all day.",
        "could you please check {my_order}? The confirmation promised next-day delivery.",
    ),
    nudges=(
        "I have asked about {my_order} before and only heard that you would look into it. Has anybody done so?",
        "this is about {my_order}, again. Still no parcel. Please tell me what is going on.",
        "no parcel, no news. I would like to know by tomorrow whether {my_order} is coming at all.",
    ),
    posts=(
        'is there anybody home? {order} has been "in transit" for days and nobody tells me anything.',
        "once more: where is {order}? I have a tent booked for the weekend, but it seems it is on holiday without me.",
        "Waiting for {order} from Nordlicht feels longer than the Pacific Crest Trail. Any news?",
        "the tracking for {order} is stuck. Can you please look into it?",
    ),
    holding=(
        "thank you for writing. I have asked the carrier about {your_order} and will come back to you as soon as they answer.",
        "I am sorry for the wait. I can see that {your_order} left our warehouse, and I have opened an inquiry with the carrier.",
        "sorry to hear that. I will find out where {your_order} is and let you know.",
    ),
    answers=(
        "good news: the carrier has found {your_order}. It was put on the wrong van, and it will be with you tomorrow before noon.",
        "the parcel went astray, and I will not let you wait for it: a new {item} for {your_order} leaves today by express.",
        "your parcel was held in the depot because the label was damaged. It has a new one, and {your_order} arrives within two days.",
    ),
    undelivered=True,
)
DAMAGED = Topic(
    subjects=("{item} arrived damaged", "Damaged: {my_order}", "Broken on arrival", "Complaint about {my_order}"),
    asks=(
        "{my_order} came today, but the {item} has a tear along the seam. The box itself was fine. How do we go on?",
        "I unpacked {my_order} this morning and found the {item} damaged. I can send photos. I would rather have a new one than a refund.",
        "unfortunately the {item} from {my_order} does not close properly: the zip comes apart at the second tooth.",
        "there is a crack in the {item} that came with {my_order}. I have not used it yet.",
    ),
    nudges=(
        "I reported the damaged {item} from {my_order} earlier and would like to know whether I get a replacement.",
        "any decision about the damage on {my_order}? I have sent everything that you asked for.",
        "I am still left with a broken {item}. Please have a look at {my_order}.",
    ),
    posts=(
        "my {item} came with a tear in it. Order {order}. Not what I expected from you.",
        "Opened the parcel from Nordlicht: broken. {order}. Who checks these things before they leave?",
        "how long does it take to replace something that was broken on arrival? It is about {order}.",
    ),
    holding=(
        "I am sorry that the {item} did not reach you in good order. Could you send me two photos, one of the damage and one of the label?",
        "that should not happen. I have noted the damage on {your_order} and asked the warehouse for a replacement.",
        "thank you for telling us. I will check whether we have another {item} in stock.",
    ),
    answers=(
        "a new {item} is on its way to you. Give the damaged one to somebody who likes to sew; there is no need to send it back.",
        "the warehouse has packed a replacement for {your_order}. You get the tracking number tonight.",
        "we replace it, of course. The new {item} leaves today, and the return label for the old one is in the parcel.",
    ),
)
WRONG = Topic(
    subjects=("Wrong article in {my_order}", "Not what I ordered", "Wrong size: {item}", "{my_order}: please exchange"),
    asks=(
        "I ordered the {item}, but {my_order} came with the same thing in another colour, two sizes too small.",
        "the delivery note of {my_order} is right, the content is not: that is not the {item}. Could you send me the right one?",
        "somebody must have mixed up two parcels: in {my_order} there was a climbing rope and no {item}.",
        "the {item} from {my_order} is too small. Can I exchange it for one size larger?",
    ),
    nudges=(
        "you sent me the wrong article with {my_order}, and I am still waiting to hear how the exchange works.",
        "can somebody please sort out the exchange for {my_order}? I wrote about it earlier.",
        "what shall I do with the wrong article? It is still about {my_order}.",
    ),
    posts=(
        "I ordered a {item}. I got something else. {order}. What now?",
        "Lucky dip at Nordlicht: you never know what comes out of the box. {order}, in case you want to correct it.",
        "still waiting to hear how to exchange {order}.",
    ),
    holding=(
        "sorry for the mix-up. I am checking with the warehouse what happened to {your_order}.",
        "thank you, I have seen your message about {your_order}. I will get you the right article as soon as I know the stock.",
        "that was our mistake. Give me a little time to arrange the exchange.",
    ),
    answers=(
        "the right {item} leaves our warehouse today. A return label for the other article is attached to {your_order} in your account.",
        "I have arranged the exchange for {your_order}: hand the wrong article to the driver who brings the right one.",
        "done: the {item} is reserved for you and goes out tomorrow. The return costs you nothing.",
    ),
)
REFUND = Topic(
    subjects=("Refund for {my_order}", "Still no money back", "Return of the {item}", "{my_order} returned"),
    asks=(
        "I have sent {my_order} back because the {item} did not fit. When will I get my money?",
        "the return of {my_order} was scanned this morning. Do I have to do anything else to get my money back?",
        "how long does a refund take? {my_order} is on its way back to you.",
        "I would like to return the {item} from {my_order}. It has not been used. Could you send me a label?",
    ),
    nudges=(
        "still no refund for {my_order}. Your shop says that it takes a day.",
        "could you please tell me the state of the refund for {my_order}? I have asked before.",
        "my bank has seen nothing from you. It is about the return of {my_order}.",
    ),
    posts=(
        "taking money takes seconds, giving it back takes weeks? {order}",
        "I returned {order} and hear nothing. Where is my refund?",
        "Has anybody ever seen a refund from Nordlicht? Asking for {order}.",
    ),
    holding=(
        "thank you for your patience. I have asked our returns desk whether the {item} has been checked in.",
        "I understand that you want to see your money. I am looking into the return of {your_order}.",
        "your return is registered. I will write again when accounting has confirmed the refund.",
    ),
    answers=(
        "the refund for {your_order} was sent today. It takes two to three days until your bank shows it.",
        "your return had been booked on another customer's account. That is put right, and the money for the {item} is on its way.",
        "accounting has released the refund for {your_order} this morning. Please excuse the delay.",
    ),
    returned=True,
)
MISSING = Topic(
    subjects=("Part of {my_order} is missing", "Incomplete delivery", "{my_order}: {item} not in the parcel"),
    asks=(
        "{my_order} arrived today, but the {item} was not in the box, although the delivery note lists it.",
        "there were supposed to be more things in {my_order}. The {item} is missing. Does it come separately?",
        "I have counted twice: {my_order} is incomplete. What about the {item}?",
    ),
    nudges=(
        "the missing {item} from {my_order} has still not turned up here. Is it on its way?",
        "I would be glad about an answer on {my_order}: part of it never came.",
    ),
    posts=(
        "half of {order} came. Is the other half walking?",
        "{order} arrived without the {item}. Please tell me that it comes separately.",
        "Paid for everything, got some of it. {order}, Nordlicht, please have a look.",
    ),
    holding=(
        "thank you for letting us know. I have asked the warehouse to check the weight of your parcel.",
        "I am sorry. I will find out whether {your_order} was split into two parcels.",
    ),
    answers=(
        "the {item} was left on the packing table. It goes out to you today, with our apologies.",
        "{your_order} was sent in two parcels, and the second one with the {item} arrives tomorrow.",
        "I have sent the missing {item} again. Should the first one turn up after all, please refuse it.",
    ),
)
ORDER_TOPICS = (LATE, DAMAGED, WRONG, REFUND, MISSING)

GENERAL_TOPICS = (
    Topic(
        subjects=("Question about the {item}", "{item}: a question before I buy"),
        asks=(
            "does the {item} stand a whole day of Scottish rain, or is it rather for dry cold?",
            "I am 1.93 m tall and go to the mountains in all weathers. Would you recommend the {item}?",
        ),
        posts=(
            "Torn between the {item} and doing nothing at all. Nordlicht, convince me.",
            "Would you take the {item} to Scotland in October?",
        ),
        answers=(
            "good question! We have used the {item} on the Hardangervidda for a week, and it did all that we asked of it.",
            "yes, with a clear conscience. And if it does not suit you, you have a hundred days to send it back.",
        ),
    ),
    Topic(
        subjects=("Is the {item} in stock?", "Stock of the {item}"),
        asks=(
            "will the {item} be in stock again before the summer holidays?",
            "since when is the {item} sold out? I nearly had it in my cart.",
        ),
        posts=("Will the {item} be back in stock before summer?", "Blink, and the {item} is sold out again. When is the next chance?"),
        answers=(
            "the {item} is back in stock at the end of the month. I can put your name on the list.",
            "we have found a few in our shop in Kiel. Shall I reserve one for you?",
        ),
    ),
    Topic(
        subjects=("Washing the {item}", "Care instructions"),
        asks=("the label has come off: how do I wash the {item}?", "may the {item} go into the dryer?"),
        posts=("Quick one: can the {item} go into the washing machine?", "My {item} smells of campfire. Wash it or frame it?"),
        answers=(
            "wash it at 30 degrees without softener, and let it dry in the shade.",
            "by hand is best, lukewarm, and never in the dryer.",
        ),
    ),
    Topic(
        subjects=("Cannot log in", "My customer account", "Password link does not arrive"),
        asks=(
            "I cannot log in any more. The link for a new password never arrives, not even in the spam folder.",
            "your shop says that my account does not exist, but I have been a customer since 2019.",
        ),
        posts=("Your login page sends me round in circles. Is it only me?", "I get a blank page at checkout. Is the shop down again?"),
        answers=(
            "I have reset your account by hand. Please try the link that you get in a few minutes.",
            "thank you, that was on our side, and it is repaired. Please try again.",
        ),
    ),
    Topic(
        subjects=("Repair of an old {item}", "Spare part for the {item}"),
        asks=(
            "my {item} has served me for six years, and now a buckle is gone. Do you sell spare parts?",
            "do you repair things? The {item} is too good to be thrown away.",
        ),
        posts=(
            "Do you sell spare buckles for the {item}? Mine met a rock.",
            "Who can mend a {item}? Asking before I reach for the gaffer tape.",
        ),
        answers=(
            "we repair nearly everything. Send it to our workshop in Kiel; you get an estimate before we begin.",
            "the spare part costs 4.50 euros, and fitting it takes two minutes. Shall I send you one?",
        ),
    ),
    Topic(
        subjects=("Opening hours in Kiel", "Are you open on Saturday?"),
        asks=("is the shop in Kiel open on the Saturday before Easter?", "until when can I come to the shop in Kiel on a weekday?"),
        posts=("Is the shop in Kiel open on Saturday?", "How late can I drop by in Kiel today?"),
        answers=("we are here from ten to six, and on Saturdays until four.", "from ten to six, and there is always coffee."),
    ),
    Topic(
        subjects=("Do you deliver to Norway?", "Shipping abroad"),
        asks=("do you deliver to Norway, and who pays the customs?", "can you send the {item} to my sister in Tromsø?"),
        posts=("Do you deliver to Norway these days?", "Any plans to ship the {item} to Norway?"),
        answers=(
            "yes, we do. It takes about five days, and there is nothing left to pay on delivery.",
            "with pleasure. Choose Norway at checkout.",
        ),
    ),
    Topic(
        subjects=("Praise", "Thank you for the {item}", "About your shop in Kiel"),
        asks=(
            "one does not write often enough when something is good: the {item} has been through two weeks of Iceland and looks like new.",
            "your colleague in Kiel took an hour to find boots that fit my strange feet. Please pass on my thanks.",
        ),
        posts=(
            "Spent the weekend on the Kungsleden with the {item}. Dry feet, happy human. Thank you, Nordlicht!",
            "Best advice in town: the people at Nordlicht told me NOT to buy the expensive one.",
            "Please keep repairing old gear. Got my {item} back, better than new.",
        ),
        answers=("that makes our day. We have read it out at breakfast.", "thank you for such kind words. See you on the trail!"),
    ),
)
