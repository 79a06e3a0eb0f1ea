"""The commands and their options. What they do is imported when they run, so that --help answers at once.

Annotations are evaluated here once, and not put off: typer would compile each of hundreds.
"""

import io
import os
import sys
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, Remedy, StyleCryptError
from . import console
from .remedies import WORDS, advice

if TYPE_CHECKING:
    from .session import Session

app = typer.Typer(
    help="Send a natural-looking fake face; contacts you authorised see the real photo.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
model_app = typer.Typer(help="Face models: the embedded one, and your own checkpoints.", no_args_is_help=True)
train_app = typer.Typer(help="Train models.", no_args_is_help=True)
key_app = typer.Typer(help="Your own keys.", no_args_is_help=True)
card_app = typer.Typer(help="Your contact card: who you are and which keys are yours.", no_args_is_help=True)
contact_app = typer.Typer(help="Whom you know, and who may see your photos.", no_args_is_help=True)
key_face_app = typer.Typer(
    help="Photos that undo fakes without a seal: yours, and your contacts'.", no_args_is_help=True
)
bot_app = typer.Typer(help="The Matrix bot, which you talk to in a private room.", no_args_is_help=True)
app.add_typer(model_app, name="model")
app.add_typer(train_app, name="train")
app.add_typer(key_app, name="key")
app.add_typer(card_app, name="card")
app.add_typer(contact_app, name="contact")
app.add_typer(key_face_app, name="key-face")
app.add_typer(bot_app, name="bot")


class Recovery(StrEnum):
    """`Level` of the messenger, which is not imported for --help."""

    KEYFACE = "keyface"
    LATENT = "latent"
    ORIGINAL = "original"


class OtherFaces(StrEnum):
    """`cipher.Others`, for the same reason."""

    BLUR = "blur"
    REFUSE = "refuse"
    KEEP = "keep"


class Bench(StrEnum):
    """What `bench` measures."""

    JOBS = "jobs"
    MODEL = "model"
    PROTOCOL = "protocol"


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Model = Annotated[str, typer.Option("--model", "-m", help="A model's name or file; see `model list`.")]
Mask = Annotated[
    str | None,
    typer.Option(help="Layers to replace: 3-7, 0-2,8-, all-but:3,6,7, paper, photo, or regions such as eyes."),
]
To = Annotated[list[str], typer.Option("--to", help="A contact who may see the photo; again for each further one.")]
StandIn = Annotated[
    str | None,
    typer.Option(help="Whose face is shown: a seed (any text) or a photo. Default: the conversation's own."),
]
LevelName = Annotated[
    Recovery | None,
    typer.Option("--level", help="What recipients get: the original (default), their inversion, or a likeness."),
]
Exact = Annotated[bool, typer.Option("--exact", help="Seal the whole file, to be restored bit by bit.")]
Portrait = Annotated[bool, typer.Option("--portrait", help="Only the aligned square of one face.")]
Refine = Annotated[int, typer.Option(min=0, max=1000, help="Steps of refinement; 0.1 to 0.3 s each.")]
Matting = Annotated[bool, typer.Option("--matting", help="Cut the fake's hair out with an alpha matte.")]
Covert = Annotated[bool, typer.Option("--covert", help="No envelope, and no mark that the picture was made by AI.")]
Chat = Annotated[
    str | None,
    typer.Option("--conversation", help="The chat this is for: it keeps its stand-in. Default: one per group."),
]
CaptionText = Annotated[str, typer.Option("--caption", help="Text for the recipients, sealed with the photo.")]
Force = Annotated[bool, typer.Option("--force", help="Send a fake that still looks like you.")]
Folder = Annotated[Path | None, typer.Option("--folder", help="Shared folder that messages travel by; remembered.")]
Room = Annotated[str | None, typer.Option("--room", help="Matrix room that messages travel by, instead of a folder.")]
Homeserver = Annotated[str | None, typer.Option("--homeserver", help="URL of your Matrix server; remembered.")]
MatrixUser = Annotated[
    str | None,
    typer.Option("--user", help="Your Matrix id; remembered. Token or password come from the environment or a prompt."),
]
BotConfig = Annotated[Path, typer.Option("--config", "-c", help="The bot's configuration.")]
Name = Annotated[str, typer.Argument(help="A contact's name, user id, or the beginning of their card's id.")]
ShardsFolder = Annotated[Path, typer.Argument(metavar="SHARDS", help="Folder that `train prepare` made.")]
RunFolder = Annotated[
    Path, typer.Option("--run", help="Folder for checkpoint, model, samples and losses; goes on there if it exists.")
]
FaceNumber = Annotated[int | None, typer.Option("--face", min=1, help="Only this face, counted from the left.")]
OthersWay = Annotated[
    OtherFaces | None,
    typer.Option("--others", help="Faces that are not replaced: blurred (default; with --face: kept), or an error."),
]


def _version(show: bool) -> None:
    if show:
        from importlib import metadata

        console.say(f"stylecrypt {metadata.version('stylecrypt-msg')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    profile: Annotated[
        Path | None,
        typer.Option(envvar="STYLECRYPT_PROFILE", help="Folder of keys and contacts.", show_default=False),
    ] = None,
    passphrase_fd: Annotated[
        int | None, typer.Option(min=0, help="File descriptor to read the passphrase from.", show_default=False)
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.obj = (profile, passphrase_fd)


def _session(context: typer.Context) -> "Session":
    from .session import Session

    return Session(*context.obj)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path("demo"),
    photo: Annotated[Path | None, typer.Option(help="Your own photo instead of people who do not exist.")] = None,
    key_face: Annotated[Path | None, typer.Option(help="With --photo: another photo of the same person.")] = None,
    refine: Annotated[int, typer.Option(min=0, max=1000, help="Steps of refinement for each face.")] = 0,
    json: Json = False,
) -> None:
    """Run everything once and write a contact sheet: who sees what."""
    from . import demo as command

    command.run(output, photo, key_face, refine, json)


@app.command()
def init(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Your name, as contacts will see it.")],
    user_id: Annotated[
        str | None, typer.Option(help="Such as @alice:example.org; default: made from the name and your keys.")
    ] = None,
    no_passphrase: Annotated[bool, typer.Option("--no-passphrase", help="Leave the keys unprotected.")] = False,
    json: Json = False,
) -> None:
    """Make your keys, your card, and the folder that holds them."""
    from . import people as command

    command.init(_session(context), name, user_id, no_passphrase, json)


@app.command()
def encrypt(
    context: typer.Context,
    photo: Annotated[str, typer.Argument(help="The photo; - reads standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the fake photo goes; - is standard output.")],
    to: To = [],  # noqa: B006 - typer's own way; it is not changed
    level: LevelName = None,
    exact: Exact = False,
    mask: Mask = None,
    stand_in: StandIn = None,
    face: FaceNumber = None,
    others: OthersWay = None,
    portrait: Portrait = False,
    refine: Refine = 0,
    matting: Matting = False,
    covert: Covert = False,
    conversation: Chat = None,
    caption: CaptionText = "",
    force: Force = False,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Replace the faces in a photo by faces of people who do not exist; contacts can undo it."""
    from . import messages as command

    command.encrypt(
        _session(context), photo, output, to, stand_in=stand_in, model=model, as_json=json,
        options=command.options(
            level=level, exact=exact, mask=mask, face=face, others=others and others.value, portrait=portrait, refine=refine,
            matting=matting, covert=covert, conversation=conversation, caption=caption, force=force,
        ),
    )  # fmt: skip


@app.command()
def send(
    context: typer.Context,
    photo: Annotated[str, typer.Argument(help="The photo; - reads standard input.")],
    to: To,
    folder: Folder = None,
    room: Room = None,
    homeserver: Homeserver = None,
    user: MatrixUser = None,
    device: Annotated[
        str | None,
        typer.Option("--verify-device", help='A new device in the room whose key you compared: "USER DEVICE KEY".'),
    ] = None,
    level: LevelName = None,
    exact: Exact = False,
    mask: Mask = None,
    stand_in: StandIn = None,
    face: FaceNumber = None,
    others: OthersWay = None,
    portrait: Portrait = False,
    refine: Refine = 0,
    matting: Matting = False,
    conversation: Chat = None,
    caption: CaptionText = "",
    force: Force = False,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Encrypt a photo, and send it at once."""
    from . import messages as command
    from .carriers import carrier

    command.send(
        _session(context), photo, to, carrier(folder, room, homeserver, user), device=device,
        stand_in=stand_in, model=model, as_json=json,
        options=command.options(
            level=level, exact=exact, mask=mask, face=face, others=others and others.value, portrait=portrait, refine=refine,
            matting=matting, covert=False, conversation=conversation, caption=caption, force=force,
        ),
    )  # fmt: skip


@app.command()
def receive(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the photos.")] = Path("received"),
    folder: Folder = None,
    room: Room = None,
    homeserver: Homeserver = None,
    user: MatrixUser = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on waiting for more.")] = False,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Open what was sent to you, each message once."""
    from . import messages as command
    from .carriers import carrier

    command.receive(_session(context), carrier(folder, room, homeserver, user), output, follow, model, json)


@app.command()
def decrypt(
    context: typer.Context,
    picture: Annotated[str, typer.Argument(help="The picture that arrived; - reads standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Where the result goes; - is standard output.")],
    key_face: Annotated[
        Path | None, typer.Option(help="Another photo of the sender, when there is no message for you.")
    ] = None,
    envelope: Annotated[
        Path | None, typer.Option(help="What came beside the picture; default: the .scenv file of its name.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", help="The contact whose key faces to try, when there is no message.")
    ] = None,
    mask: Mask = None,
    face: FaceNumber = None,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Recover the photo that a fake stands for."""
    from . import messages as command

    command.decrypt(
        _session(context), picture, output, key_face=key_face, envelope=envelope, sender=sender, mask=mask, face=face,
        model=model, as_json=json,
    )  # fmt: skip


@app.command()
def inspect(
    picture: Annotated[str, typer.Argument(help="The picture; - reads standard input.")],
    sealed: Annotated[Path | None, typer.Option(help="Write the sealed part here: an age file.")] = None,
    envelope: Annotated[
        Path | None, typer.Option(help="What came beside the picture; default: the .scenv file of its name.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what anybody can see of the message in a picture."""
    from . import messages as command

    command.inspect(picture, sealed, envelope, json)


@key_app.command("export")
def key_export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to make.")],
    age: Annotated[  # noqa: ARG001 - there is no other form
        bool, typer.Option("--age", help="As an identity file of the age program; the only form there is.")
    ],
) -> None:
    """Write the secret key that opens what is sealed to you. Whoever has it reads your messages."""
    from . import people as command

    command.export_age_key(_session(context), output)


@key_app.command("passphrase")
def key_passphrase(
    context: typer.Context,
    no_passphrase: Annotated[bool, typer.Option("--no-passphrase", help="Leave the keys unprotected.")] = False,
) -> None:
    """Set, change or remove the passphrase of your profile."""
    from . import people as command

    command.change_passphrase(_session(context), no_passphrase)


@key_app.command("revoke")
def key_revoke(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to make.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Write a file that withdraws your keys; contacts read it with `contact add`. Make one in time."""
    from . import people as command

    command.revoke(_session(context), output, yes)


@card_app.command("show")
def card_show(context: typer.Context, json: Json = False) -> None:
    """Your card, its words, and its text."""
    from . import people as command

    command.card_show(_session(context), json)


@card_app.command("export")
def card_export(
    context: typer.Context,
    output: Annotated[str, typer.Option("--output", "-o", help="A file; .txt writes text; - prints the text.")],
) -> None:
    """Write your card, for your contacts."""
    from . import people as command

    command.card_export(_session(context), output)


@card_app.command("qr")
def card_qr(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .png or .svg file.")] = None,
) -> None:
    """Your card as a QR code, on the terminal or in a file."""
    from . import people as command

    command.card_qr(_session(context), output)


@contact_app.command("add")
def contact_add(
    context: typer.Context,
    card: Annotated[str, typer.Argument(help="A card: file, text, picture of its QR code, or - for standard input.")],
    trust: Annotated[bool, typer.Option("--trust", help="They may see your photos.")] = False,
    json: Json = False,
) -> None:
    """Remember somebody's card, or take over a newer one or a revocation."""
    from . import people as command

    command.contact_add(_session(context), card, trust, json)


@contact_app.command("list")
def contact_list(context: typer.Context, json: Json = False) -> None:
    """All contacts."""
    from . import people as command

    command.contact_list(_session(context), json)


@contact_app.command("show")
def contact_show(context: typer.Context, name: Name, json: Json = False) -> None:
    """A contact, and the words to compare."""
    from . import people as command

    command.contact_show(_session(context), name, json)


@contact_app.command("verify")
def contact_verify(
    context: typer.Context,
    name: Name,
    words: Annotated[str | None, typer.Option(help="The twelve words that they read to you.")] = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Throw a changed card away, and keep the old one.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare words with a contact, so that nobody can stand between you."""
    from . import people as command

    command.contact_verify(_session(context), name, words, discard, json)


@contact_app.command("trust")
def contact_trust(
    context: typer.Context,
    name: Name,
    conversation: Annotated[str | None, typer.Option("--in", help="Only in this conversation.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="They may not any more.")] = False,
) -> None:
    """Let a contact see your photos."""
    from . import people as command

    command.contact_trust(_session(context), name, conversation, undo)


@contact_app.command("block")
def contact_block(
    context: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them through again.")] = False,
) -> None:
    """Neither send to a contact nor open what they send."""
    from . import people as command

    command.contact_block(_session(context), name, undo)


@contact_app.command("remove")
def contact_remove(context: typer.Context, name: Name) -> None:
    """Forget a contact, and their key faces."""
    from . import people as command

    command.contact_remove(_session(context), name)


@key_face_app.command("add")
def key_face_add(
    context: typer.Context,
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO...",
            help="Photos that show your face alone, from the front. The first is shared; all make the likeness better.",
        ),
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; default: the name of the first file.")] = None,
    json: Json = False,
) -> None:
    """Keep a key face of yours, made of one or several photos."""
    from . import people as command

    command.key_face_add(_session(context), photos, name, json)


@key_face_app.command("list")
def key_face_list(context: typer.Context, json: Json = False) -> None:
    """Your key faces and those that contacts shared."""
    from . import people as command

    command.key_face_list(_session(context), json)


@key_face_app.command("share")
def key_face_share(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A key face of yours.")],
    to: Annotated[list[str], typer.Option("--to", help="A contact; again for each further one.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to make, for these contacts only.")],
) -> None:
    """Seal a key face for contacts."""
    from . import people as command

    command.key_face_share(_session(context), name, to, output)


@key_face_app.command("receive")
def key_face_receive(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="What a contact shared.")], json: Json = False
) -> None:
    """Keep a key face that a contact shared with you."""
    from . import people as command

    command.key_face_receive(_session(context), file, json)


@key_face_app.command("remove")
def key_face_remove(context: typer.Context, name: Annotated[str, typer.Argument(help="A key face of yours.")]) -> None:
    """Forget a key face of yours."""
    from . import people as command

    command.key_face_remove(_session(context), name)


@model_app.command("list")
def model_list(json: Json = False) -> None:
    """Models on this machine."""
    from . import models as command

    command.list_all(json)


@model_app.command("show")
def model_show(name: Annotated[str, typer.Argument(help="A name or a file.")] = "default", json: Json = False) -> None:
    """What a model is, and its hash."""
    from . import models as command

    command.show(name, json)


@model_app.command("import")
def model_import(
    file: Annotated[Path, typer.Argument(help="A StyleGAN2 (rosinality), pSp or e4e checkpoint.")],
    name: Annotated[str | None, typer.Option(help="Name to give it; default: the file's.")] = None,
    json: Json = False,
) -> None:
    """Convert a checkpoint into a safe file of our own format, and keep it."""
    from . import models as command

    command.import_file(file, name, json)


@train_app.command("prepare")
def train_prepare(
    photos: Annotated[Path, typer.Argument(help="Folder of photos; those of a person in a folder of their own.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the shards; goes on there if it exists.")],
    size: Annotated[int, typer.Option(help="Pixels a side of the faces: 32, 64, 128, 256, 512 or 1024.")] = 256,
    matte: Annotated[bool, typer.Option("--matte", help="Lay the person over grey. Some seconds a photo.")] = False,
    json: Json = False,
) -> None:
    """Cut the faces out of photos, aligned, for the training of `generator` and `psp`."""
    from . import train as command

    command.prepare(photos, output, size, matte, json)


@train_app.command("generator")
def train_generator(
    shards: ShardsFolder,
    run: RunFolder,
    steps: Annotated[int, typer.Option(min=1, help="Steps in all; more make a finished run go on.")] = 800_000,
    batch: Annotated[
        int, typer.Option(min=1, help="Pictures a step, over all processes; each has a multiple of 4.")
    ] = 32,
    channels: Annotated[int, typer.Option(min=4, max=1024, help="Width of the networks.")] = 512,
    style_dim: Annotated[
        int, typer.Option(min=8, max=512, help="Dimensions of a style; 128, 256 or 512 for pSp.")
    ] = 512,
    rate: Annotated[float, typer.Option(min=1e-7, max=0.1, help="Learning rate.")] = 0.002,
    gamma: Annotated[
        float | None, typer.Option(min=0, help="Weight of R1; default: 0.0002 times size squared by batch.")
    ] = None,
) -> None:
    """Train a StyleGAN2 generator on shards. Days on GPUs; start it by `torchrun` for several."""
    from . import train as command

    command.generator(shards, run, steps, batch, channels, style_dim, rate, gamma)


@train_app.command("psp")
def train_psp(
    shards: ShardsFolder,
    generator: Annotated[str, typer.Option(help="The StyleGAN2 model, a name or a file, that the encoder is for.")],
    run: RunFolder,
    steps: Annotated[int, typer.Option(min=1, help="Steps in all; more make a finished run go on.")] = 500_000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step, over all processes.")] = 8,
    rate: Annotated[float, typer.Option(min=1e-7, max=0.1, help="Learning rate.")] = 1e-4,
    recogniser: Annotated[
        Path | None,
        typer.Option(help="Folder `model` of the npm package @vladmandic/face-api: identity loss."),
    ] = None,
    backbone: Annotated[
        Path | None, typer.Option(help="Start from ArcFace's IR-SE-50: the file model_ir_se50.pth.")
    ] = None,
) -> None:
    """Train a pSp encoder for a StyleGAN2 generator on shards. Days on GPUs; start it by `torchrun` for several."""
    from . import train as command

    command.psp(shards, generator, run, steps, batch, rate, recogniser, backbone)


@train_app.command("encoder")
def train_encoder(
    run: Annotated[Path, typer.Option(help="Folder for checkpoint, losses and plot; go on there if it exists.")] = Path(
        "runs/encoder"
    ),
    faces: Annotated[Path | None, typer.Option(help="Folder of aligned square faces for the second stage.")] = None,
    pairs: Annotated[int, typer.Option(min=0, help="Synthetic pairs of the first stage.")] = 200_000,
    face_steps: Annotated[int, typer.Option(min=0, help="Steps of the second stage.")] = 4_000,
    trunk: Annotated[
        Path | None, typer.Option(help="Start from MobileNetV2's ImageNet weights, not from the embedded encoder.")
    ] = None,
    recogniser: Annotated[
        Path | None,
        typer.Option(help="Folder `model` of the npm package @vladmandic/face-api: identity loss."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the model here when done.")] = None,
) -> None:
    """Train the embedded model's encoder. Days on a CPU; can be stopped at any time and goes on where it was."""
    from . import train as command

    command.encoder(run, faces, pairs, face_steps, trunk, recogniser, output)


@app.command()
def bench(
    part: Annotated[Bench, typer.Argument(help="Whole jobs, a model, or the protocol's messages.")] = Bench.JOBS,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Speed and memory on this machine: of photos sent and opened, of a model, or of the protocol."""
    from . import bench as command

    if part is Bench.JOBS:
        command.jobs(json)
    elif part is Bench.PROTOCOL:
        command.protocol(json)
    else:
        command.model(model, json)


@app.command()
def evaluate(
    faces: Annotated[Path, typer.Argument(help="Folder of photos, a person each.")],
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Two photos a person, 007-a.jpg and 007-b.jpg: the second is a key too.")
    ] = False,
    report: Annotated[Path, typer.Option(help="Folder for the report; go on there if it was begun.")] = Path(
        "evaluation"
    ),
    limit: Annotated[int | None, typer.Option(min=2, help="Only so many people, the first ones.")] = None,
    recogniser: Annotated[
        str, typer.Option(help="Who tells people apart: dlib, arcface:FILE (ONNX) or blendface:FILE.")
    ] = "dlib",
    attacks: Annotated[
        bool, typer.Option("--attacks", help="Attack the fakes instead: what they give away, for each layer mask.")
    ] = False,
    model: Model = "default",
    json: Json = False,
) -> None:
    """Measure a model as the paper does: how a fake hides its sender, and what comes back. Half an hour for 50 people."""
    if attacks:
        from . import attacks as bench

        bench.run(faces, report, pairs=pairs, limit=limit, model_name=model, recogniser_name=recogniser, as_json=json)
        return
    from . import evaluate as command

    command.run(faces, report, pairs=pairs, limit=limit, model_name=model, recogniser_name=recogniser, as_json=json)


@app.command()
def doctor(json: Json = False) -> None:
    """What works here, what is missing, and the remedy."""
    from . import doctor as command

    command.run(json)


@bot_app.command("setup")
def bot_setup(
    context: typer.Context,
    config: BotConfig = Path("bot.yaml"),
    homeserver: Annotated[str | None, typer.Option(help="URL of the bot's server, for a new configuration.")] = None,
    user: Annotated[str | None, typer.Option(help="The bot's account, such as @alice-bot:example.org.")] = None,
    owner: Annotated[str | None, typer.Option(help="Your own account, such as @alice:example.org.")] = None,
    name: Annotated[str | None, typer.Option(help="Your name, for a new profile.")] = None,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave the keys of a new profile unprotected.")
    ] = False,
    sso: Annotated[bool, typer.Option("--sso", help="Log in with a browser on this machine.")] = False,
    password_fd: Annotated[
        int | None, typer.Option(min=0, help="File descriptor to read the bot's password from.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Log the bot in, once; makes the configuration and the profile where they are missing.

    The password is asked for, or comes from STYLECRYPT_MATRIX_PASSWORD; or give an access token of a session of its own in
    STYLECRYPT_MATRIX_TOKEN.
    """
    from . import bot as command

    command.setup(
        _session(context), config, homeserver=homeserver, user=user, owner=owner, name=name, no_passphrase=no_passphrase,
        sso=sso, password_fd=password_fd, as_json=json,
    )  # fmt: skip


@bot_app.command("run")
def bot_run(context: typer.Context, config: BotConfig = Path("bot.yaml")) -> None:
    """Run the bot, until it is told to stop."""
    from . import bot as command

    command.run(_session(context), config)


@bot_app.command("verify")
def bot_verify(context: typer.Context, config: BotConfig = Path("bot.yaml")) -> None:
    """Let a device of yours verify the bot, and the bot your device, by comparing emoji. Stop `bot run` before."""
    from . import bot as command

    command.verify(_session(context), config)


@bot_app.command("check")
def bot_check(context: typer.Context, config: BotConfig = Path("bot.yaml"), json: Json = False) -> None:
    """Try what the bot needs, without posting anything: configuration, login, rooms, devices."""
    from . import bot as command

    command.check(_session(context), config, json)


# The parser's error for wrong usage; typer has it from click, or in later versions from its own copy of click.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main() -> None:
    """The entry point: runs a command, prints errors as they are for people, exits as documented."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a file name that the locale cannot write fails no command
    # Other packages' plugins would see every value of a message, and to look for them takes a tenth of a second.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        code = app(prog_name="stylecrypt", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except StyleCryptError as error:
        console.fail(str(error), advice(error))
        sys.exit(error.exit_code)
    except _UsageError as error:
        _wrong_usage(error)
        sys.exit(InputError.exit_code)
    except BrokenPipeError:
        console.drop_output()  # whoever read it went away
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            console.fail(
                "This needs PyTorch, which is not installed.", WORDS[Remedy.INSTALL_EXTRA].format(extra="torch")
            )
            sys.exit(InputError.exit_code)
        console.fail(f"This is a bug: {type(error).__name__} in {_place(error)}.", "Report it with what you ran.")
        if os.environ.get("STYLECRYPT_DEBUG"):
            traceback.print_exc()
        sys.exit(2)


def _wrong_usage(error: Any) -> None:
    """In our form; a command without arguments has printed its help, and has no message."""
    if message := error.format_message():
        command = error.ctx.command_path if error.ctx else "stylecrypt"
        console.fail(message.rstrip(".") + ".", f"`{command} --help` shows how it is used.")


def _place(error: Exception) -> str:
    """File and line of the fault; not the message, which may hold what must not be shown."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name} line {frame.lineno}"
