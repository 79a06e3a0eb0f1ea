"""The bot's advice on errors in the chat: words for each `stylecrypt_msg.errors.Remedy`."""

from __future__ import annotations

from stylecrypt_msg.errors import Remedy, StyleCryptError

__all__ = ["WORDS", "failure", "quoted"]

_THERE = "where the bot runs"
_NOT_HERE = "That is not possible in this chat: use the command line."

WORDS = {
    Remedy.ADD_CONTACT: "`!add @user:server` adds one.",
    Remedy.ASK_FOR_KEY_FACE: "Ask them for a key face: their `!keyface share` gives it to you.",
    Remedy.CHOOSE_FACE: "Choose faces, from the left, with `only=1` or `keep=2`, and say `others=blur` or `others=keep`.",
    Remedy.CHOOSE_OUTPUT: f"Choose another folder {_THERE}.",
    Remedy.CHOOSE_PROFILE_FOLDER: f"Choose another folder for the profile {_THERE}.",
    Remedy.CLOSE_FOLDER: f"Make {{folder}} the bot's alone, {_THERE}.",
    Remedy.COMPARE_WORDS: "Compare words with them: `!verify {contact}`",
    Remedy.DISTRUST_CONTACT: "Undo that with `!untrust {contact}`, then trust them where you want.",
    Remedy.DROP_COVERT: _NOT_HERE,
    Remedy.DROP_EXACT: _NOT_HERE,
    Remedy.IMPORT_MODEL: f"Then import it {_THERE}.",
    Remedy.INSTALL_EXTRA: f"Install it {_THERE}: `pip install 'stylecrypt-msg[{{extra}}]'`.",
    Remedy.LIST_MODELS: f"Look at the models {_THERE}.",
    Remedy.MAKE_BACKUP: f"Set the bot up again {_THERE}, with a new key backup.",
    Remedy.MAKE_IDENTITY: f"Set the bot up again {_THERE}: that asks for the password.",
    Remedy.MAKE_PROFILE: f"Set the bot up {_THERE}.",
    Remedy.NAME_KEY_FACE: "Use another name, a word or two.",
    Remedy.NAME_RECIPIENTS: "Name contacts: `#room @name`.",
    Remedy.NAME_SENDER: _NOT_HERE,
    Remedy.OTHER_STAND_IN: "Choose another face with `!standin #room SEED`.",
    Remedy.REINSTALL: f"Reinstall {{package}} {_THERE}.",
    Remedy.REMOVE_CONTACT: "Add their card again when you know.",
    Remedy.REPLACE_IDENTITY: f"If no app uses my account, set the bot up again {_THERE}, so that its keys replace those.",
    Remedy.SEND_LESS: "Use `level=latent`, or send a smaller photo.",
    Remedy.TRUST_CONTACT: "To authorise them: `!trust {contact}`",
    Remedy.UNBLOCK_CONTACT: "To unblock them: `!unblock {contact}`",
    Remedy.VERIFY_DEVICE: "If it is the same, vouch for it: `!device @user:server DEVICE KEY`.",
}


def failure(error: StyleCryptError) -> str:
    """What happened, and what to do about it."""
    words = error.remedy and WORDS[error.remedy].format_map({name: quoted(fact) for name, fact in error.facts.items()})
    return " ".join(filter(None, (str(error), error.hint, words)))


def quoted(name: str) -> str:
    """A name, quoted for commands."""
    return f'"{name}"' if any(letter.isspace() for letter in name) else name
