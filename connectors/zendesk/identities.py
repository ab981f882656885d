"""Users with their identities: every e-mail address and number that is known of one (developer.zendesk.com, User Identities).

An export tells them beside the users when it is asked for them (Side-Loading).
"""

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from threadline.sdk.records import UNREADABLE


class _Identity(Struct):
    id: int
    user_id: int


class _Beside(Struct):
    identities: list[Raw] = []


class _User(Struct):
    id: int


def with_identities(users: Sequence[bytes], body: bytes) -> list[bytes]:
    """Write into each user of a response its identities, in the order of their ids; a user without any stays as it is."""
    held: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    try:
        for raw in msgspec.json.decode(body, type=_Beside).identities:
            identity = msgspec.json.decode(raw, type=_Identity)
            held[identity.user_id].append((identity.id, bytes(raw)))
    except UNREADABLE:
        # What cannot be read of a page must not hold up its users.
        return list(users)
    return [_joined(user, held) for user in users] if held else list(users)


def _joined(user: bytes, held: dict[int, list[tuple[int, bytes]]]) -> bytes:
    try:
        identities = held.get(msgspec.json.decode(user, type=_User).id)
    except UNREADABLE:
        return user
    if not identities:
        return user
    told = b",".join(raw for _, raw in sorted(identities))
    return user.rstrip().removesuffix(b"}") + b',"identities":[' + told + b"]}"
