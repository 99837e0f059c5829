"""Taking people off Cronofy: the operator marks their profiles, and their next consent is at their own provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from freebusy.domain.account import Upstream
from freebusy.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freebusy.ports import AccountStore


class Moving(NamedTuple):
    sub: str
    profile_id: str


def mark_moving(subs: Iterable[str], *, moving: bool, accounts: AccountStore) -> list[Moving]:
    """Marks every profile of these accounts that is read through Cronofy, or takes the mark off; returns which.

    Until its person consents again, a marked profile goes on as before. Marking twice is no error. Raises NotFound for
    an account that there is not, before anybody is marked.
    """
    subs = [*subs]
    found = accounts.find_many(subs)
    if unknown := [sub for sub in subs if sub not in found]:
        raise NotFound(f"there is no account {', '.join(unknown)}: nobody is marked")
    return [
        Moving(sub, profile.profile_id)
        for sub in subs
        for profile in found[sub].free_busy_profiles
        if profile.upstream is Upstream.CRONOFY and accounts.mark_moving(sub, profile.profile_id, moving=moving)
    ]
