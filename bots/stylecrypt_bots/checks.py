"""``bot check``: tries everything that the bot needs, and says how to mend what does not work. Posts nothing."""

from __future__ import annotations

from stylecrypt_msg.cli.checks import Check
from stylecrypt_msg.cli.remedies import advice
from stylecrypt_msg.errors import StyleCryptError
from stylecrypt_msg.profile import Profile

from .account import session_beside
from .bot import CONTROL_ROOM
from .config import Config
from .session import BotSession

__all__ = ["check_bot"]


async def check_bot(config: Config, profile: Profile) -> list[Check]:
    """The checks, in the order in which to mend them."""
    found = [Check("profile", "ok", f"{profile.card.display_name} ({profile.card.user_id})")]
    try:
        async with session_beside(config, profile) as session:
            running = "" if session.has_keys else "; the bot is running, so devices are not checked"
            found.append(Check("login", "ok", f"{session.user_id}, device {session.device_id}{running}"))
            if session.has_keys:
                found.append(_signed(session))
                await session.back_up()
                if (error := session.backup_error) is not None:
                    found.append(_broken("key backup", error))
                elif session.has_backup:
                    found.append(Check("key backup", "ok", "New keys are added to it."))
            control = config.control_room or profile.setting(CONTROL_ROOM)
            if control is None:
                found.append(Check("control room", "missing", "There is none yet.", "`stylecrypt bot run` makes it."))
            else:
                found.append(await _room(session, config, "control room", control, private=True))
            for name, room in config.rooms.items():
                found.append(await _room(session, config, f"#{name}", room.room, private=False))
    except StyleCryptError as error:
        found.append(_broken("login", error))
    return found


def _signed(session: BotSession) -> Check:
    if session.identity_error is not None:
        return _broken("cross-signing", session.identity_error)
    return Check("cross-signing", "ok", f"The device is signed by {session.master}.")


async def _room(session: BotSession, config: Config, what: str, address: str, *, private: bool) -> Check:
    try:
        room = await session.look(await session.room_id(address), config.trust, private=private)
    except StyleCryptError as error:
        return _broken(what, error)
    encrypted = "encrypted" if room.encrypted else "not encrypted"
    detail = f"{len(room.members)} people, {encrypted}"
    if private and not room.encrypted:
        return Check(what, "broken", detail, "Turn encryption on.")
    if private and room.members - {session.user_id, config.owner}:
        return Check(what, "broken", f"{detail}: others are in it.", "Have them leave, or use another room.")
    if private and config.owner not in room.members:
        return Check(what, "missing", f"{detail}: {config.owner} has not joined yet.", "Accept the invitation.")
    if room.unknown and config.trust == "cross-signed" and not private:
        detail = f"{detail}. Devices that get nothing, since their owners did not sign them: {'; '.join(room.unknown)}"
    elif room.unknown:
        return Check(
            what,
            "broken",
            f"{detail}. Devices that are not trusted: {'; '.join(room.unknown)}.",
            "Compare the key with the one that the device shows, then: `!device @user:server DEVICE KEY`.",
        )
    return Check(what, "ok", detail)


def _broken(what: str, error: StyleCryptError) -> Check:
    return Check(what, "broken", str(error), advice(error) or "")
