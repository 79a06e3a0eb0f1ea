"""What the command line advises on errors: words for each `errors.Remedy`."""

from __future__ import annotations

import shlex

from ..errors import Remedy, StyleCryptError

__all__ = ["WORDS", "advice"]

WORDS = {
    Remedy.ADD_CONTACT: "`stylecrypt contact add FILE` adds one.",
    Remedy.ASK_FOR_KEY_FACE: "Ask for a key face: `stylecrypt key-face share` makes the file, `stylecrypt key-face receive` "
    "reads it. Or use --key-face PHOTO.",
    Remedy.CHOOSE_FACE: (
        "Choose faces with --only and --keep-face, by number from the left or by a photo of the person; --others says what "
        "happens to the rest."
    ),
    Remedy.CHOOSE_OUTPUT: "Choose another place with -o.",
    Remedy.CHOOSE_PROFILE_FOLDER: "Use another folder with --profile DIR.",
    Remedy.CLOSE_FOLDER: "Use a folder of its own, or make this one yours alone: chmod -R go-rwx {folder}",
    Remedy.COMPARE_WORDS: "Compare words with them: stylecrypt contact verify {contact}",
    Remedy.DISTRUST_CONTACT: "Undo that, then trust them where you want: stylecrypt contact trust --undo {contact}",
    Remedy.DROP_COVERT: "Leave out --covert, or use --level keyface.",
    Remedy.DROP_EXACT: "Leave out --exact, or use --level original.",
    Remedy.IMPORT_MODEL: "`stylecrypt model import FILE` adds it; `stylecrypt model show` prints hashes.",
    Remedy.INSTALL_EXTRA: "Run `pip install 'stylecrypt-msg[{extra}]'`.",
    Remedy.LIST_MODELS: "`stylecrypt model list` lists them.",
    Remedy.MAKE_BACKUP: "For a bot: `stylecrypt bot setup --key-backup` makes a new one, with another recovery key.",
    Remedy.MAKE_IDENTITY: "For a bot: `stylecrypt bot setup` asks for the password.",
    Remedy.MAKE_PROFILE: "`stylecrypt init --name NAME` makes one.",
    Remedy.NAME_KEY_FACE: "Use --name with another name, a word or two.",
    Remedy.NAME_RECIPIENTS: "Name contacts with --to NAME. A photo at --level keyface needs none: nothing in it is sealed.",
    Remedy.NAME_SENDER: "If it is a covert one, say whose: --from NAME, or --key-face with another photo of the sender.",
    Remedy.OTHER_STAND_IN: "Use another stand-in (--stand-in) or a stricter mask (--mask 2-8), or insist with --force.",
    Remedy.REINSTALL: "Run `pip install --force-reinstall {package}`.",
    Remedy.REMOVE_CONTACT: "Remove the other with `stylecrypt contact remove NAME`, then add the card again.",
    Remedy.REPLACE_IDENTITY: "For a bot whose account nothing else uses: `stylecrypt bot setup --replace-identity` takes "
    "the place of those keys.",
    Remedy.SEND_LESS: "Leave out --exact, use --level latent, or send a smaller photo.",
    Remedy.TRUST_CONTACT: "To authorise them: stylecrypt contact trust {contact}",
    Remedy.UNBLOCK_CONTACT: "To unblock them: stylecrypt contact block --undo {contact}",
    Remedy.VERIFY_DEVICE: 'If it is the same, vouch for it: --verify-device "USER DEVICE KEY".',
}


def advice(error: StyleCryptError) -> str | None:
    """The advice for the line below the error."""
    words = error.remedy and WORDS[error.remedy].format_map({name: _typed(fact) for name, fact in error.facts.items()})
    return " ".join(filter(None, (error.hint, words))) or None


def _typed(fact: str) -> str:
    """A value quoted for a shell: others choose names, and users copy commands."""
    return f"-- {shlex.quote(fact)}" if fact.startswith("-") else shlex.quote(fact)
