"""What the page advises on errors: words for each `stylecrypt_msg.errors.Remedy`, in each language."""

from __future__ import annotations

from stylecrypt_msg.errors import Remedy, StyleCryptError

from .texts import LANGUAGES

__all__ = ["WORDS", "advice"]

_MATRIX = (
    "Matrix rooms are for the command line and the bot.",
    "Matrix-Räume gehören zur Kommandozeile und zum Bot.",
)

WORDS: dict[Remedy, tuple[str, str]] = {
    Remedy.ADD_CONTACT: ("Add their card under Contacts.", "Füge ihre Karte unter Kontakte hinzu."),
    Remedy.ASK_FOR_KEY_FACE: (
        "Ask the sender to share a key face with you, and take it in under Key faces.",
        "Bitte die Absenderin oder den Absender um ein Schlüsselgesicht, und nimm es unter Schlüsselgesichter auf.",
    ),
    Remedy.CHOOSE_FACE: (
        "Choose for each face whether it is hidden, blurred or kept.",
        "Wähle für jedes Gesicht, ob es ersetzt, verwischt oder gezeigt wird.",
    ),
    Remedy.CHOOSE_OUTPUT: ("Save it somewhere else.", "Speichere es woanders."),
    Remedy.CHOOSE_PROFILE_FOLDER: (
        "Start the program with another folder: `stylecrypt --profile FOLDER web`.",
        "Starte das Programm mit einem anderen Ordner: `stylecrypt --profile ORDNER web`.",
    ),
    Remedy.CLOSE_FOLDER: (
        "Give the profile a folder of its own, or make {folder} yours alone.",
        "Gib dem Profil einen eigenen Ordner, oder nimm anderen das Recht, {folder} zu lesen.",
    ),
    Remedy.COMPARE_WORDS: (
        "Compare the words with {contact}, under Contacts.",
        "Vergleiche unter Kontakte die Wörter mit {contact}.",
    ),
    Remedy.DISTRUST_CONTACT: (
        "Undo that first, under Contacts: {contact}.",
        "Nimm das zuerst zurück, unter Kontakte: {contact}.",
    ),
    Remedy.DROP_COVERT: ("Leave out “covert”.", "Lass „unauffällig“ weg."),
    Remedy.DROP_EXACT: ("Leave out “the whole file”.", "Lass „die ganze Datei“ weg."),
    Remedy.IMPORT_MODEL: (
        "It takes the command line to add a model: `stylecrypt model import FILE`.",
        "Modelle lassen sich nur in der Kommandozeile hinzufügen: `stylecrypt model import DATEI`.",
    ),
    Remedy.INSTALL_EXTRA: (
        "Install it: `pip install 'stylecrypt-msg[{extra}]'`.",
        "Installiere es: `pip install 'stylecrypt-msg[{extra}]'`.",
    ),
    Remedy.LIST_MODELS: (
        "The command line lists the models: `stylecrypt model list`.",
        "Welche es gibt, sagt die Kommandozeile: `stylecrypt model list`.",
    ),
    Remedy.MAKE_BACKUP: _MATRIX,
    Remedy.MAKE_IDENTITY: _MATRIX,
    Remedy.MAKE_PROFILE: ("Load the page again to make one.", "Lade die Seite neu, um eines anzulegen."),
    Remedy.NAME_KEY_FACE: ("Choose another name, a word or two.", "Wähle einen anderen Namen, ein oder zwei Wörter."),
    Remedy.NAME_RECIPIENTS: (
        "Choose at least one contact. A photo at level “key face” needs none: nothing in it is sealed.",
        "Wähle mindestens einen Kontakt. Ein Foto der Stufe „Schlüsselgesicht“ braucht keinen: Darin ist nichts versiegelt.",
    ),
    Remedy.NAME_SENDER: (
        "If it is a covert one, say who sent it, or give another photo of them.",
        "Ist es ein unauffälliges, sag, von wem es ist, oder gib ein anderes Foto der Person an.",
    ),
    Remedy.OTHER_STAND_IN: (
        "Choose another stand-in, under More choices, or insist on this one.",
        "Wähle unter Mehr Auswahl eine andere Ersatzperson, oder bestehe auf dieser.",
    ),
    Remedy.REINSTALL: (
        "Install it again: `pip install --force-reinstall {package}`.",
        "Installiere es neu: `pip install --force-reinstall {package}`.",
    ),
    Remedy.REMOVE_CONTACT: (
        "Remove the other one under Contacts, then add the card again.",
        "Entferne unter Kontakte den anderen, und füge die Karte dann noch einmal hinzu.",
    ),
    Remedy.REPLACE_IDENTITY: _MATRIX,
    Remedy.SEND_LESS: (
        "Leave out “the whole file”, choose a lower level, or send a smaller photo.",
        "Lass „die ganze Datei“ weg, wähle eine niedrigere Stufe, oder schicke ein kleineres Foto.",
    ),
    Remedy.TRUST_CONTACT: (
        "Under Contacts, let {contact} see your photos.",
        "Erlaube {contact} unter Kontakte, deine Fotos zu sehen.",
    ),
    Remedy.UNBLOCK_CONTACT: (
        "Unblock {contact} under Contacts.",
        "Nimm unter Kontakte zurück, dass {contact} blockiert ist.",
    ),
    Remedy.VERIFY_DEVICE: _MATRIX,
}


def advice(error: StyleCryptError, language: str) -> str:
    """What to do about an error; "" if its hint says all."""
    if error.remedy is None:
        return ""
    return WORDS[error.remedy][LANGUAGES.index(language)].format_map(error.facts)
