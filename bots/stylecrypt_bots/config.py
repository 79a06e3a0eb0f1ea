"""The configuration of a bot, or of the service: one YAML file, without secrets. config.sample.yaml beside this package
explains every key of the former, docs/bot-service.md those of the latter."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from stylecrypt_msg.apps import App
from stylecrypt_msg.errors import InputError, os_reason
from stylecrypt_msg.files import MAX_FILE_BYTES
from stylecrypt_msg.transports.matrix.devices import Trust

__all__ = [
    "Config",
    "ConfigError",
    "Device",
    "HealthSettings",
    "MediaSettings",
    "QuotaSettings",
    "RoomName",
    "RoomSettings",
    "ServiceConfig",
]

_LARGEST = 1 << 20  # bytes of a configuration file
_LONGEST = 255  # letters of an id, by the Matrix specification


class ConfigError(InputError):
    """The configuration is wrong: starting the bot again does not help. The exit code is that of sysexits.h."""

    exit_code = 78


def _loopback(host: str) -> str:
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise ValueError("has to be an address of this machine alone, such as 127.0.0.1")


def _like(pattern: str, what: str) -> AfterValidator:
    def check(text: str) -> str:
        if len(text) > _LONGEST or not re.fullmatch(pattern, text):
            raise ValueError(f"is not {what}")
        return text

    return AfterValidator(check)


Url = Annotated[str, _like(r"https?://[^/\s]+/?", "an address such as https://matrix.example.org")]
ServerName = Annotated[str, _like(r"[A-Za-z0-9.:\[\]-]+", "the name of a server such as example.org")]
UserId = Annotated[str, _like(r"@[^:\s]+:\S+", "a user id such as @name:example.org")]
Inviter = Annotated[str, _like(r"(@[^:\s]+|\*):\S+", "a user id such as @name:example.org, or *:example.org")]
RoomName = Annotated[str, _like(r"[^\s#@!:]{1,64}", "a name of one word")]
RoomAddress = Annotated[str, _like(r"!\S+|#[^:\s]+:\S+", "a room's id (!...) or address (#name:example.org)")]
FolderPath = Annotated[Path, AfterValidator(Path.expanduser)]


class _Strict(BaseModel):
    # A refused value may be a secret that somebody put here by mistake.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Device(_Strict):
    """Somebody's device that gets nothing."""

    user: UserId
    device: str


class RoomSettings(_Strict):
    """What the bot does in a room.

    Attributes:
        room: its id ("!...") or address ("#name:server").
        send: photos may be sent there.
        receive: the bot looks at pictures there.
        auto_send: photos for it are posted without asking.
        app: the app to which the room is bridged; covers get the size that it leaves alone.
        covert_from: contacts whose key faces are tried on their pictures without a message.
    """

    room: RoomAddress
    send: bool = True
    receive: bool = True
    auto_send: bool = False
    app: App | None = None
    covert_from: tuple[str, ...] = ()


class MediaSettings(_Strict):
    """Limits on incoming media; ``max_bytes`` of one picture file."""

    max_bytes: int = Field(default=20_000_000, gt=0, le=MAX_FILE_BYTES)


class HealthSettings(_Strict):
    """Where ``/health`` and ``/metrics`` are served."""

    host: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1"
    port: int = Field(gt=0, lt=65536)


class _Shared(_Strict):
    """What both configurations have.

    Attributes:
        homeserver: URL of the bots' server.
        trust: which devices get messages in encrypted rooms.
        model: makes the fake faces.
    """

    homeserver: Url
    trust: Trust = "cross-signed"
    media: MediaSettings = MediaSettings()
    model: str = "default"
    health: HealthSettings | None = None
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda v: v.upper() if isinstance(v, str) else v)
    ] = "INFO"

    made_by: ClassVar[str]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the file; relative paths in it start at its folder. Raises ConfigError as `read`."""
        try:
            with path.open("rb") as file:
                data = file.read(_LARGEST + 1)
            text = data.decode()
        except FileNotFoundError:
            raise ConfigError(
                f"There is no configuration {path}.",
                hint=f"{cls.made_by} makes one.",
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not text" if isinstance(error, UnicodeDecodeError) else os_reason(error)
            raise ConfigError(f"The configuration {path} cannot be read: {reason}.") from error
        if len(data) > _LARGEST:
            raise ConfigError(f"{path} is too large for a configuration.", hint="Name the right file.")
        config, here = cls.read(text, str(path)), path.absolute().parent
        return config.model_copy(update={name: here / value for name, value in config if isinstance(value, Path)})

    @classmethod
    def read(cls, text: str, name: str = "config") -> Self:
        """The configuration in a text.

        Raises ConfigError, which names the line, for anything but YAML, unknown or repeated keys, and wrong values.
        """
        try:
            tree = yaml.compose(text, Loader=yaml.SafeLoader)
            _check_twice(tree, name)
            values = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError(f"{name}, line {line}, is not YAML: {error.problem}.", hint=_HINT) from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(f"{name} is not YAML.", hint=_HINT) from error
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = [part for part in first["loc"] if part != "[key]"]
            key = ".".join(map(str, where)) or "the whole"
            said = {
                "extra_forbidden": "is not a known key",
                "missing": "is missing",
            }.get(first["type"], first["msg"].removeprefix("Value error, ").lower())
            raise ConfigError(f"{name}, line {_line(tree, where)}: {key} {_sentence(said)}.", hint=_HINT) from error


class Config(_Shared):
    """The file of a bot with one owner.

    Attributes:
        user_id: the bot's account.
        owner: the account of the bot's owner; it obeys nobody else.
        profile: folder of the owner's keys and contacts; by default the usual one.
        control_room: where the owner talks to it; by default a room that it makes.
        rooms: those with settings, by the owner's names for them. In others it receives and does not send.
        invite_allow: users ("@name:server") and servers ("*:server") whose invitations it accepts besides the owner's.
        blacklist: devices that get nothing.
    """

    made_by: ClassVar[str] = "Setting the bot up"

    user_id: UserId
    owner: UserId
    profile: FolderPath | None = None
    control_room: RoomAddress | None = None
    rooms: dict[RoomName, RoomSettings] = Field(default_factory=dict)
    invite_allow: tuple[Inviter, ...] = ()
    blacklist: tuple[Device, ...] = ()
    heartbeat: FolderPath | None = None

    def may_invite(self, user: str) -> bool:
        """Whether an invitation is accepted. With an empty list, only the owner's."""
        return user == self.owner or user in self.invite_allow or f"*:{user.partition(':')[2]}" in self.invite_allow


class QuotaSettings(_Strict):
    """What an owner may send in a day: photos, and their bytes in all."""

    photos: int = Field(default=50, gt=0)
    bytes: int = Field(default=200_000_000, gt=0)


class ServiceConfig(_Shared):
    """The file of the service, whose bots have many owners.

    Attributes:
        server_name: of the owners, and of their bots: the part of their ids after the colon.
        registration: the file that the homeserver has as well, with the tokens.
        folder: of everything that is kept.
        allow: whom the service makes bots for; by default everybody on the server.
        most_owners: how many at most.
        quota: of each owner.
        processes: that work on pictures; by default one for each processor, as far as the memory goes.
    """

    made_by: ClassVar[str] = "Registering the service"

    server_name: ServerName
    registration: FolderPath = Path("registration.yaml")
    folder: FolderPath = Path("stylecrypt")
    allow: tuple[UserId, ...] | None = None
    most_owners: int = Field(default=200, gt=0)
    quota: QuotaSettings = QuotaSettings()
    processes: int | None = Field(default=None, gt=0)

    def may_own(self, user: str) -> bool:
        """Whether somebody may have a bot."""
        return user.partition(":")[2] == self.server_name and (self.allow is None or user in self.allow)


_HINT = "bots/config.sample.yaml and docs/bot-service.md explain all keys."


def _sentence(said: str) -> str:
    return said if said.startswith(("is ", "has ")) else f"is invalid: {said}"


def _check_twice(node: yaml.Node | None, name: str) -> None:
    """In YAML itself, the last of two keys wins."""
    if isinstance(node, yaml.MappingNode):
        keys: set[Any] = set()
        for key, value in node.value:
            if key.value in keys:
                line = key.start_mark.line + 1
                raise ConfigError(f"{name}, line {line}: {key.value} appears twice.", hint="Keep one of them.")
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            _check_twice(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_twice(value, name)


def _line(node: yaml.Node | None, where: list[int | str]) -> int:
    """The line of a value or, if it is missing, of what should hold it; counted from 1."""
    line = 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
