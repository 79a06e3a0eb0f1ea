"""Each message once (SPEC.md section 8)."""

from __future__ import annotations

import pytest
from stylecrypt_protocol import MAX_AGE, MAX_CLOCK_SKEW, CardId, MessageId, Seen

from stylecrypt_msg.profile import Profile

from .conftest import NOW

BOB, EVE = CardId(bytes(16)), CardId(b"e" * 16)
MESSAGE = MessageId(b"m" * 16)
DAY = 86400


def test_a_message_is_new_once_but_to_the_delivery_that_brought_it(profile: Profile) -> None:
    assert profile.seen(b"first").check_and_remember(BOB, MESSAGE, NOW, rank=3) is Seen.NEW
    with Profile.open(profile.folder) as again:
        assert again.seen(b"second").check_and_remember(BOB, MESSAGE, NOW, rank=3) is Seen.BEFORE
        assert again.seen(b"first").check_and_remember(BOB, MESSAGE, NOW, rank=3) is Seen.NEW
        assert again.seen(b"second").check_and_remember(EVE, MESSAGE, NOW, rank=3) is Seen.NEW  # another's message


def test_an_exact_copy_is_new_after_a_changed_one(profile: Profile) -> None:
    changed, exact = (profile.seen(reference) for reference in (b"first", b"second"))
    assert changed.check_and_remember(BOB, MESSAGE, NOW, rank=2) is Seen.NEW
    assert exact.check_and_remember(BOB, MESSAGE, NOW, rank=3) is Seen.NEW
    for reference, rank in ((b"third", 3), (b"first", 2), (b"third", 2)):
        assert profile.seen(reference).check_and_remember(BOB, MESSAGE, NOW, rank=rank) is Seen.BEFORE


@pytest.mark.parametrize("later", [0, DAY, MAX_AGE, MAX_AGE + MAX_CLOCK_SKEW])
def test_a_message_is_remembered_for_as_long_as_it_would_be_accepted(profile: Profile, later: int) -> None:
    """Others that are verified meanwhile are dated at most 600 s later than the clock says."""
    profile.seen(b"first").check_and_remember(BOB, MESSAGE, NOW, rank=3)
    profile.seen(b"other").check_and_remember(BOB, MessageId(b"n" * 16), NOW + later + MAX_CLOCK_SKEW, rank=3)
    assert profile.seen(b"second").check_and_remember(BOB, MESSAGE, NOW, rank=3) is Seen.BEFORE


def test_what_would_be_too_old_is_forgotten(profile: Profile) -> None:
    for n in range(20):
        profile.seen(b"first").check_and_remember(BOB, MessageId(bytes([n]) * 16), NOW, rank=3)
    profile.seen(b"other").check_and_remember(BOB, MESSAGE, NOW + MAX_AGE + 2 * DAY, rank=3)
    assert profile._store.database.read("SELECT count(*) FROM seen") == [(1,)]


def test_a_delivery_is_finished_for_good(profile: Profile) -> None:
    assert not profile.finished(b"reference")
    profile.finish(b"reference")
    profile.finish(b"reference")
    with Profile.open(profile.folder) as again:
        assert again.finished(b"reference") and not again.finished(b"another")
