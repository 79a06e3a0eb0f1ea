"""The bot's configuration: errors in it are reported with their line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stylecrypt_bots.config import Config

from stylecrypt_msg.errors import InputError

SAMPLE = Path(__file__).parents[2] / "bots" / "config.sample.yaml"
LEAST = 'homeserver: https://hs\nuser_id: "@bot:hs"\nowner: "@me:hs"\n'


def test_the_sample_is_valid_and_says_nothing_but_the_defaults() -> None:
    config = Config.load(SAMPLE)
    assert config.rooms["family"].room == "#family:example.org"
    least = {"homeserver", "user_id", "owner", "rooms"}
    assert config == Config(**config.model_dump(include=least))


def test_the_sample_shows_every_key_with_its_default() -> None:
    """Uncommented, it means the same, except for the keys that must be chosen."""
    text = SAMPLE.read_text()
    keys = (
        r"profile|control_room|send|receive|auto_send|covert_from|invite_allow|trust|media|  max_bytes|model|log_level"
    )
    shown = re.sub(rf"^( *)# (({keys}):)", r"\1\2", text, flags=re.M)
    config = Config.read(shown)
    assert Config.read(re.sub(r"# app:", "app:", text)).rooms["family"].app == "whatsapp"
    assert config.model_copy(update={"profile": None}) == Config.load(SAMPLE)
    assert config.profile == Path("~/.local/share/stylecrypt/profile").expanduser()
    chosen = r"blacklist|  - |health|  host|  port|heartbeat"
    everything = Config.read(re.sub(rf"^( *)# (({chosen}):?)", r"\1\2", shown, flags=re.M))
    assert everything.blacklist[0].device == "OLDPHONE"
    assert everything.health is not None
    assert everything.health.host == "127.0.0.1"
    assert everything.heartbeat == Path("heartbeat")
    for name, field in Config.model_fields.items():
        assert re.search(rf"^(# )?{name}:", text, re.M), name
        assert field.is_required() or re.search(rf"^(# )?{name}:", text, re.M)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("romos: {}", "line 4: romos is not a known key"),
        ("rooms:\n  a:\n    room: '#a:hs'\n    sent: true", "line 7: rooms.a.sent is not a known key"),
        ("rooms:\n  a:\n    send: true", "line 5: rooms.a.room is missing"),
        ("rooms:\n  a:\n    room: a", "line 6: rooms.a.room is not a room's id (!...) or address"),
        ("rooms:\n  'a b': {room: '#a:hs'}", "line 5: rooms.a b is not a name of one word"),
        ("invite_allow:\n  - '@a:hs'\n  - everybody", "line 6: invite_allow.1 is not a user id such as @name:"),
        ("trust: all", "line 4: trust is invalid: input should be 'verified', 'first-use' or 'cross-signed'"),
        ("health:\n  host: 0.0.0.0\n  port: 1", "line 5: health.host has to be an address of this machine alone"),
        ("health:\n  host: example.org\n  port: 1", "line 5: health.host has to be an address of this machine alone"),
        ("owner: '@you:hs'", "line 4: owner appears twice"),
        ("media: {max_bytes: 0}", "line 4: media.max_bytes is invalid: input should be greater than 0"),
        ("log_level: loud", "line 4: log_level is invalid"),
        ("owner: me", "line 4: owner appears twice"),
        ("control_room: family", "line 4: control_room is not a room's id"),
        ("a: [", "line 5, is not YAML"),
        ("a: !!python/object/apply:os.system ['true']", "line 4, is not YAML: could not determine a constructor"),
    ],
)
def test_mistakes_are_named_with_their_line(more: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        Config.read(f"{LEAST}{more}\n", "bot.yaml")
    assert str(error.value).startswith(f"bot.yaml, {said}")
    assert error.value.hint


@pytest.mark.parametrize("text", ["", "- a", "text", "{" * 5000])
def test_what_is_no_configuration(text: str) -> None:
    with pytest.raises(InputError, match=r"^bot.yaml"):
        Config.read(text, "bot.yaml")


def test_a_secret_that_was_put_there_is_not_repeated() -> None:
    for line in ("password: hunter2", "log_level: hunter2", "health: {port: hunter2}"):
        with pytest.raises(InputError) as error:
            Config.read(LEAST + line)
        assert "hunter2" not in f"{error.value} {error.value.hint}"


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "bot.yaml").write_text(f"{LEAST}profile: mine\nheartbeat: /run/alive\n")
    config = Config.load(tmp_path / "bot.yaml")
    assert (config.profile, config.heartbeat) == (tmp_path / "mine", Path("/run/alive"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"#" * (1 << 21))
    for name, said in [
        ("none", "There is no"),
        (".", "is a directory"),
        ("binary", "not text"),
        ("large", "too large"),
    ]:
        with pytest.raises(InputError, match=said):
            Config.load(tmp_path / name)


def test_invitations_of_strangers_are_never_accepted_by_default() -> None:
    config = Config.read(LEAST)
    assert config.may_invite("@me:hs")
    assert not config.may_invite("@other:hs")
    config = Config.read(f"{LEAST}invite_allow: ['@bob:elsewhere', '*:home']")
    assert all(map(config.may_invite, ["@me:hs", "@bob:elsewhere", "@anybody:home"]))
    assert not any(map(config.may_invite, ["@other:hs", "@carol:elsewhere", "@x:home.evil", "@x:evil:home"]))
