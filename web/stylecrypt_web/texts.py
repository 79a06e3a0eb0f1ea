"""The page's words, in English and German."""

from __future__ import annotations

__all__ = ["LANGUAGES", "TEXTS", "Words", "language_of"]

LANGUAGES = ("en", "de")


class Words:
    """The texts in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **facts: object) -> str:
        """A text with the ``facts`` filled in. Where it has two forms, ``count`` decides which."""
        text = TEXTS[key][LANGUAGES.index(self.language)]
        if "|" in text:
            one, many = text.split("|")
            text = one if facts["count"] == 1 else many
        return text.format(**facts)

    def __contains__(self, key: str) -> bool:
        return key in TEXTS


def language_of(accepted: str) -> str:
    """The first of our languages in an ``Accept-Language`` header, by its weights (RFC 9110, section 12.5.4)."""

    def weight(part: str) -> float:
        try:
            return float(part.partition("q=")[2] or 1)
        except ValueError:
            return 0

    for part in sorted(accepted.split(","), key=weight, reverse=True):
        language = part.split(";")[0].strip().split("-")[0].lower()
        if language in LANGUAGES and weight(part) > 0:
            return language
    return LANGUAGES[0]


TEXTS: dict[str, tuple[str, str]] = {
    "page.skip": ("Skip to the content", "Zum Inhalt springen"),
    "page.parts": ("Parts of the page", "Bereiche der Seite"),
    "page.other-language": ("Deutsch", "English"),
    "page.lock": ("Lock", "Sperren"),
    "page.foot": (
        "This page comes from your own machine. Your photos and keys stay on it.",
        "Diese Seite kommt von deinem eigenen Rechner. Deine Fotos und Schlüssel bleiben auf ihm.",
    ),
    "page.ended": (
        "StyleCrypt has ended. Start it again to go on.",
        "StyleCrypt wurde beendet. Starte es neu, um weiterzumachen.",
    ),
    "nav.send": ("Send", "Senden"),
    "nav.open": ("Open", "Öffnen"),
    "nav.contacts": ("Contacts", "Kontakte"),
    "nav.keyfaces": ("Key faces", "Schlüsselgesichter"),
    "nav.you": ("You", "Du"),
    "drop.large": (
        "This file is larger than 64 MB. Save a smaller copy and use that.",
        "Diese Datei ist größer als 64 MB. Speichere eine kleinere Kopie, und nimm die.",
    ),
    "camera.use": ("Use the camera", "Kamera benutzen"),
    "camera.live": ("What the camera sees", "Was die Kamera sieht"),
    "camera.take": ("Take the picture", "Aufnehmen"),
    "camera.close": ("Close the camera", "Kamera schließen"),
    "camera.taken": ("The picture that you took", "Das aufgenommene Bild"),
    "camera.refused": (
        "The browser does not let this page use the camera. Allow it there, or choose a file.",
        "Der Browser lässt diese Seite nicht an die Kamera. Erlaube es dort, oder wähle eine Datei.",
    ),
    "camera.none": (
        "No camera was found, or another program is using it. Choose a file.",
        "Es wurde keine Kamera gefunden, oder ein anderes Programm benutzt sie. Wähle eine Datei.",
    ),
    # Coming in.
    "refused.title": ("This page is not for you", "Diese Seite ist nicht für dich"),
    "refused.host": (
        "It answers to one address only, and this is another one.",
        "Sie antwortet nur unter einer Adresse, und diese ist eine andere.",
    ),
    "refused.elsewhere": (
        "The request came from another page. Nothing was done.",
        "Die Anfrage kam von einer anderen Seite. Es wurde nichts getan.",
    ),
    "refused.token": (
        "Only the browser that StyleCrypt opened may see it.",
        "Nur der Browser, den StyleCrypt geöffnet hat, darf sie sehen.",
    ),
    "refused.used": (
        "The address is wrong, or it was used before: it works once. If you have not used it yourself, end StyleCrypt.",
        "Die Adresse ist falsch, oder sie wurde schon benutzt: Sie gilt einmal. Warst du das nicht selbst, beende StyleCrypt.",
    ),
    "refused.form": (
        "The form does not come from this page. Nothing was done.",
        "Das Formular stammt nicht von dieser Seite. Es wurde nichts getan.",
    ),
    "refused.what": (
        "If StyleCrypt is yours, end it and start it again: it opens a new page.",
        "Wenn StyleCrypt dir gehört, beende und starte es: Es öffnet eine neue Seite.",
    ),
    "enter.title": ("Opening StyleCrypt", "StyleCrypt wird geöffnet"),
    "enter.go": ("Go on", "Weiter"),
    "start.title": ("Welcome", "Willkommen"),
    "start.lead": (
        "StyleCrypt replaces the faces in your photos. Contacts you choose see the real photo; everybody else sees people who "
        "do not exist.",
        "StyleCrypt ersetzt die Gesichter in deinen Fotos. Kontakte, die du auswählst, sehen das echte Foto; alle anderen "
        "sehen Menschen, die es nicht gibt.",
    ),
    "start.name": ("Your name", "Dein Name"),
    "start.name-hint": ("Your contacts will see it.", "Deine Kontakte sehen ihn."),
    "start.passphrase": ("Passphrase", "Passphrase"),
    "start.passphrase-hint": (
        "It locks your keys and contacts on this machine. Take four or more words. Nobody can recover it.",
        "Sie schützt deine Schlüssel und Kontakte auf diesem Rechner. Nimm vier oder mehr Wörter. Niemand kann sie "
        "wiederherstellen.",
    ),
    "start.again": ("The same again", "Noch einmal"),
    "start.go": ("Start", "Loslegen"),
    "unlock.title": ("Welcome back", "Willkommen zurück"),
    "unlock.passphrase": ("Your passphrase", "Deine Passphrase"),
    "unlock.plain": (
        "Your profile has no passphrase. Set one under You.",
        "Dein Profil hat keine Passphrase. Unter Du kannst du eine setzen.",
    ),
    "unlock.go": ("Unlock", "Entsperren"),
    "missing.title": ("Nothing here", "Hier ist nichts"),
    "missing.lead": (
        "The page does not exist, or its photo is no longer in memory.",
        "Die Seite gibt es nicht, oder ihr Foto ist nicht mehr im Speicher.",
    ),
    "missing.go": ("To the beginning", "Zum Anfang"),
    "ended.title": ("StyleCrypt has ended", "StyleCrypt ist beendet"),
    "ended.lead": ("You can close this page.", "Du kannst diese Seite schließen."),
    # Work.
    "work.title": ("One moment", "Einen Moment"),
    "work.wait": ("Most photos take a few seconds.", "Die meisten Fotos brauchen ein paar Sekunden."),
    "step.": ("Waiting for another photo to be finished", "Wartet, bis ein anderes Foto fertig ist"),
    "step.loading the model": ("Getting ready", "Vorbereitung"),
    "step.finding faces": ("Finding faces", "Gesichter werden gesucht"),
    "step.reading faces": ("Reading faces", "Gesichter werden gelesen"),
    "step.making faces": ("Making new faces", "Neue Gesichter entstehen"),
    "step.refining": ("Refining", "Verfeinerung"),
    "step.writing into the pixels": ("Writing into the pixels", "Die Bildpunkte werden beschrieben"),
    "step.preparing the key face": ("Preparing the key face", "Das Schlüsselgesicht wird vorbereitet"),
    # Sending.
    "send.title": ("Send a photo", "Ein Foto senden"),
    "send.lead": (
        "Choose a photo. You then see its faces, and decide about each.",
        "Wähle ein Foto. Dann siehst du die Gesichter darin, und entscheidest über jedes.",
    ),
    "send.drop": ("Drop a photo here, or choose one", "Leg ein Foto hier ab, oder wähle eines"),
    "send.drop-hint": (
        "As your phone or camera wrote it: JPEG, HEIC, PNG, WebP, AVIF; up to 64 MB.",
        "So wie Telefon oder Kamera es speichern: JPEG, HEIC, PNG, WebP, AVIF; bis 64 MB.",
    ),
    "send.look": ("Find the faces", "Gesichter suchen"),
    "send.nobody-title": ("You have no contacts yet", "Du hast noch keine Kontakte"),
    "send.nobody": (
        "Photos are sealed to contacts. Exchange cards with somebody first.",
        "Fotos werden für Kontakte versiegelt. Tausche zuerst mit jemandem Karten.",
    ),
    "send.to-contacts": ("Go to Contacts", "Zu den Kontakten"),
    "choose.title": ("Who is hidden, and who may see it", "Wer verborgen wird, und wer es sehen darf"),
    "choose.photo": ("Your photo", "Dein Foto"),
    "choose.tap": (
        "Tap a face to change what happens to it.",
        "Tippe auf ein Gesicht, um zu ändern, was mit ihm geschieht.",
    ),
    "choose.faces": ("1 face|{count} faces", "1 Gesicht|{count} Gesichter"),
    "choose.face": ("Face {number} from the left", "Gesicht {number} von links"),
    "choose.hide": ("Replace", "Ersetzen"),
    "choose.blur": ("Blur", "Verwischen"),
    "choose.keep": ("Show", "Zeigen"),
    "choose.cannot": ("It cannot be replaced: {reason}.", "Es lässt sich nicht ersetzen: {reason}."),
    "choose.to": ("Who may see the real photo", "Wer das echte Foto sehen darf"),
    "choose.nobody": ("No contact may see your photos yet.", "Noch darf kein Kontakt deine Fotos sehen."),
    "choose.others": (
        "May not see your photos: {names}. To change that:",
        "Darf deine Fotos nicht sehen: {names}. Das änderst du hier:",
    ),
    "choose.caption": ("Caption", "Bildtext"),
    "choose.caption-hint": ("Sealed with the photo.", "Wird mit dem Foto versiegelt."),
    "choose.app": ("The app that you send it with", "Die App, mit der du es schickst"),
    "choose.more": ("More choices", "Mehr Auswahl"),
    "choose.level": ("What contacts get back", "Was Kontakte zurückbekommen"),
    "choose.stand-in": ("Another stand-in", "Eine andere Ersatzperson"),
    "choose.stand-in-hint": (
        "Any text gives a person; the same text always the same one. Empty: the one that these contacts know.",
        "Jeder Text ergibt eine Person, derselbe Text immer dieselbe. Leer: die, die diese Kontakte kennen.",
    ),
    "choose.exact": (
        "Seal the whole file: contacts get it bit by bit, with place and time",
        "Die ganze Datei versiegeln: Kontakte bekommen sie Bit für Bit, mit Ort und Zeit",
    ),
    "choose.portrait": ("Send only the face, as a square", "Nur das Gesicht schicken, als Quadrat"),
    "choose.covert": (
        "Covert: nothing in the file says that it is a message; contacts need a key face",
        "Unauffällig: Nichts in der Datei verrät eine Nachricht; Kontakte brauchen ein Schlüsselgesicht",
    ),
    "choose.force": (
        "Use this stand-in although it still looks like the original",
        "Diese Ersatzperson nehmen, obwohl sie dem Original noch ähnelt",
    ),
    "choose.go": ("Make the picture", "Bild erzeugen"),
    "choose.back": ("Another photo", "Ein anderes Foto"),
    "app.any": ("Any, or I do not know yet", "Egal, oder ich weiß es noch nicht"),
    "app.signal": ("Signal", "Signal"),
    "app.whatsapp": ("WhatsApp", "WhatsApp"),
    "app.telegram": ("Telegram", "Telegram"),
    "app.element": ("Element", "Element"),
    "app.instagram": ("Instagram", "Instagram"),
    "app.file": (
        "As a file: by mail, a drive, “send as document”",
        "Als Datei: per Mail, Laufwerk, „als Dokument senden“",
    ),
    "level.original": ("The photo as it was", "Das Foto, wie es war"),
    "level.imprint": ("The faces, small, from the pixels", "Die Gesichter, klein, aus den Bildpunkten"),
    "level.latent": ("A likeness, sealed", "Ein Ebenbild, versiegelt"),
    "level.keyface": (
        "A likeness, with a key face; nothing is sealed",
        "Ein Ebenbild, mit Schlüsselgesicht; nichts ist versiegelt",
    ),
    "refusal.TOO_SMALL": ("it is too small", "es ist zu klein"),
    "refusal.CUT": ("the border cuts it off", "der Rand schneidet es ab"),
    "refusal.PROFILE": ("it is turned too far aside", "es ist zu weit zur Seite gedreht"),
    "refusal.COVERED": ("it is partly covered, or not clear enough", "es ist teils verdeckt oder nicht deutlich genug"),
    "refusal.UNSURE": ("it may be something else than a face", "vielleicht ist es kein Gesicht"),
    "refusal.ALIKE": ("no other face hides it", "kein anderes Gesicht macht es unkenntlich"),
    "cover.title": ("This is what others will see", "Das sehen andere"),
    "cover.original": ("Your photo", "Dein Foto"),
    "cover.original-hint": ("Your photo, which only your contacts get", "Dein Foto, das nur deine Kontakte bekommen"),
    "cover.everybody": ("The picture with other faces", "Das Bild mit anderen Gesichtern"),
    "cover.everybody-hint": ("What everybody else sees", "Was alle anderen sehen"),
    "cover.report": ("What it still shows", "Was es noch zeigt"),
    "cover.send": ("Send it", "Verschicken"),
    "cover.who": ("{names} can open it.", "{names} kann es öffnen."),
    "cover.how-file": (
        "Send it as a file (“document”) if you can: then contacts get the whole photo.",
        "Schick es möglichst als Datei („Dokument“): Dann bekommen Kontakte das ganze Foto.",
    ),
    "cover.how-small": (
        "Apps that shrink photos leave the faces, small, in its pixels.",
        "Wenn eine App Fotos verkleinert, bleiben die Gesichter, klein, in den Bildpunkten.",
    ),
    "cover.how-app": ("Send the picture like any other.", "Verschicke das Bild wie jedes andere."),
    "cover.save": ("Save", "Speichern"),
    "cover.share": ("Share …", "Teilen …"),
    "cover.copy": ("Copy", "Kopieren"),
    "cover.copied": (
        "Copied. A copy holds the small faces only; save the file to send all of it.",
        "Kopiert. Eine Kopie enthält nur die kleinen Gesichter; speichere die Datei, um alles zu schicken.",
    ),
    "cover.beside": (
        "Send this file along; it holds the sealed part:",
        "Schick diese Datei mit; sie enthält den versiegelten Teil:",
    ),
    "cover.again": ("Another stand-in", "Andere Ersatzperson"),
    "cover.back": ("Change something", "Etwas ändern"),
    "cover.next": ("Another photo", "Ein anderes Foto"),
    "report.good": ("Good:", "Gut:"),
    "report.warn": ("Mind:", "Achtung:"),
    "report.note": ("Note:", "Hinweis:"),
    "report.replaced": ("{count} of {found} faces replaced.", "{count} von {found} Gesichtern ersetzt."),
    "report.blurred": (
        "Face {numbers} is blurred.|Faces {numbers} are blurred.",
        "Gesicht {numbers} ist verwischt.|Die Gesichter {numbers} sind verwischt.",
    ),
    "report.kept": (
        "Face {numbers} is still to be seen.|Faces {numbers} are still to be seen.",
        "Gesicht {numbers} bleibt sichtbar.|Die Gesichter {numbers} bleiben sichtbar.",
    ),
    "report.because": ("The reason: {reason}.", "Der Grund: {reason}."),
    "report.other": (
        "To the face recogniser {recogniser} it is somebody else.",
        "Für die Gesichtserkennung {recogniser} ist es jemand anderes.",
    ),
    "report.same": (
        "The face recogniser {recogniser} still takes it for the original.",
        "Die Gesichtserkennung {recogniser} hält es noch für das Original.",
    ),
    "report.substituted": (
        "One face shows another stand-in than usual: the usual one still looked like the original.|"
        "{count} faces show another stand-in than usual: the usual one still looked like the original.",
        "Ein Gesicht zeigt eine andere Ersatzperson als sonst: Die übliche ähnelte dem Original noch.|"
        "{count} Gesichter zeigen eine andere Ersatzperson als sonst: Die übliche ähnelte dem Original noch.",
    ),
    "report.dropped": ("Left out of the file: {what}.", "Nicht mehr in der Datei: {what}."),
    "report.look": (
        "Clothes, the room and everything else stay as they are. Look at the picture before you send it.",
        "Kleidung, Raum und alles andere bleiben, wie sie sind. Sieh dir das Bild an, bevor du es schickst.",
    ),
    "dropped.EXIF": ("camera data (EXIF)", "Kameradaten (EXIF)"),
    "dropped.EXIF thumbnail": ("a thumbnail", "ein Vorschaubild"),
    "dropped.GPS position": ("the place (GPS)", "der Ort (GPS)"),
    "dropped.XMP": ("XMP", "XMP"),
    "dropped.IPTC": ("IPTC", "IPTC"),
    "dropped.ICC profile": ("the colour profile", "das Farbprofil"),
    "dropped.comment": ("a comment", "ein Kommentar"),
    "dropped.text": ("text", "Text"),
    "dropped.application data": ("data of other programs", "Daten anderer Programme"),
    "dropped.depth map": ("a depth map", "eine Tiefenkarte"),
    "dropped.gain map": ("a gain map", "eine Helligkeitskarte (Gain Map)"),
    "dropped.data behind the picture": ("data behind the picture", "Daten hinter dem Bild"),
    "dropped.further frames": ("further frames", "weitere Einzelbilder"),
    "dropped.alpha channel": ("transparency", "Transparenz"),
    "dropped.16-bit depth": ("16-bit depth", "16 Bit Farbtiefe"),
    "dropped.three quarters of its pixels": ("three quarters of its pixels", "drei Viertel der Bildpunkte"),
    # Opening.
    "open.title": ("Open a photo", "Ein Foto öffnen"),
    "open.lead": (
        "Drop a picture that you received. If a photo for you is behind it, you see it.",
        "Leg ein Bild ab, das du bekommen hast. Wenn ein Foto für dich dahintersteckt, siehst du es.",
    ),
    "open.drop": ("Drop a picture here, or choose one", "Leg ein Bild hier ab, oder wähle eines"),
    "open.drop-hint": (
        "If a .scenv file came with it, choose both together.",
        "Kam eine .scenv-Datei mit, wähle beide zusammen.",
    ),
    "open.go": ("Open", "Öffnen"),
    "opened.title": ("A photo for you", "Ein Foto für dich"),
    "opened.from": ("A photo from {name}", "Ein Foto von {name}"),
    "opened.from-perhaps": ("A photo, perhaps from {name}", "Ein Foto, vielleicht von {name}"),
    "opened.from-nobody": ("A photo, from somebody", "Ein Foto von jemandem"),
    "opened.photo": ("The photo", "Das Foto"),
    "opened.picture": ("The picture that arrived", "Das Bild, das ankam"),
    "opened.picture-hint": ("What everybody else sees", "Was alle anderen sehen"),
    "opened.save": ("Save", "Speichern"),
    "opened.next": ("Open another one", "Ein anderes öffnen"),
    "opened.nothing": ("This is an ordinary picture", "Das ist ein gewöhnliches Bild"),
    "opened.covert": ("Or is it a covert one?", "Oder ist es ein unauffälliges?"),
    "opened.covert-hint": (
        "It carries no message. If somebody told you that their face is hidden in it, say who, or choose "
        "another photo of them.",
        "Es trägt keine Nachricht. Hat dir jemand gesagt, dass sein Gesicht darin steckt, sag wer, oder wähle ein anderes Foto "
        "der Person.",
    ),
    "opened.sender": ("Who sent it", "Wer es geschickt hat"),
    "opened.unknown": ("Somebody else", "Jemand anderes"),
    "opened.key-face": ("Another photo of the sender", "Ein anderes Foto der Person"),
    "opened.key-face-hint": (
        "Only if they shared no key face with you.",
        "Nur wenn sie kein Schlüsselgesicht mit dir geteilt hat.",
    ),
    "opened.try": ("Try", "Versuchen"),
    "reached.original": ("The photo as it was", "Das Foto, wie es war"),
    "reached.imprint": ("The faces, small, from the picture's pixels", "Die Gesichter, klein, aus den Bildpunkten"),
    "reached.latent": ("A likeness, sealed by the sender", "Ein Ebenbild, versiegelt"),
    "reached.keyface": ("A likeness, by a key face", "Ein Ebenbild, durch ein Schlüsselgesicht"),
    "reached.file": ("The sender's own file, bit by bit", "Die Originaldatei, Bit für Bit"),
    "report.verified": (
        "{name} signed it, and you have compared words with each other.",
        "{name} hat es unterschrieben, und ihr habt die Wörter verglichen.",
    ),
    "report.signed": (
        "It is signed with the keys that you know as those of {name}. You have not compared words with each other yet.",
        "Es ist mit den Schlüsseln unterschrieben, die du als die von {name} kennst. Die Wörter habt ihr noch "
        "nicht verglichen.",
    ),
    "report.unsigned": (
        "Nobody signed it: anybody may have made it.",
        "Niemand hat es unterschrieben: Jede und jeder kann es gemacht haben.",
    ),
    # Contacts.
    "contacts.title": ("Contacts", "Kontakte"),
    "contacts.none": (
        "You have no contacts yet. Exchange cards: give somebody yours, and add theirs.",
        "Du hast noch keine Kontakte. Tauscht Karten: Gib jemandem deine, und füge die andere hinzu.",
    ),
    "contacts.add": ("Add a contact", "Einen Kontakt hinzufügen"),
    "contacts.add-lead": (
        "Their card, in whatever form you have it: a picture of the code, the file, or the text.",
        "Die Karte, in welcher Form du sie hast: ein Bild des Codes, die Datei oder der Text.",
    ),
    "contacts.drop": ("Drop the card here, or choose it", "Leg die Karte hier ab, oder wähle sie"),
    "contacts.drop-hint": (
        "A picture with the code, or a .sccard file.",
        "Ein Bild mit dem Code, oder eine .sccard-Datei.",
    ),
    "contacts.text": ("Or paste the text", "Oder füge den Text ein"),
    "contacts.trust": ("They may see my photos", "Darf meine Fotos sehen"),
    "contacts.go": ("Add", "Hinzufügen"),
    "card.title": ("Your card", "Deine Karte"),
    "card.lead": (
        "Let somebody take a picture of it, or send it. It is not secret.",
        "Lass sie fotografieren, oder verschick sie. Sie ist nicht geheim.",
    ),
    "card.qr": ("QR code of the card of {name}", "QR-Code der Karte von {name}"),
    "card.picture": ("Save as a picture", "Als Bild speichern"),
    "card.file": ("Save as a file", "Als Datei speichern"),
    "card.copy": ("Copy the text", "Text kopieren"),
    "card.copied": ("Copied.", "Kopiert."),
    "card.text": ("As text", "Als Text"),
    "contact.verified": ("verified", "geprüft"),
    "contact.not-verified": ("not verified", "nicht geprüft"),
    "contact.blocked": ("blocked", "blockiert"),
    "contact.withdrawn": ("keys withdrawn", "Schlüssel zurückgezogen"),
    "contact.pending": ("offers new keys", "bietet neue Schlüssel an"),
    "contact.trusted": ("may see your photos", "darf deine Fotos sehen"),
    "contact.not-trusted": ("may not see your photos", "darf deine Fotos nicht sehen"),
    "contact.photos": ("Your photos", "Deine Fotos"),
    "contact.trusted-long": ("{name} may see photos that you send.", "{name} darf Fotos sehen, die du schickst."),
    "contact.not-trusted-long": (
        "{name} can write to you, and may not see your photos yet.",
        "{name} kann dir schreiben, und darf deine Fotos noch nicht sehen.",
    ),
    "contact.trust": ("Let {name} see my photos", "{name} meine Fotos zeigen"),
    "contact.distrust": ("No longer", "Nicht mehr"),
    "contact.name": ("Name", "Name"),
    "contact.own-name": ("What you call them", "Wie du diesen Kontakt nennst"),
    "contact.own-name-hint": (
        "Only you see it. Without one, it is the name on the card: {name}.",
        "Nur du siehst ihn. Ohne Eintrag gilt der Name auf der Karte: {name}.",
    ),
    "contact.rename": ("Rename", "Umbenennen"),
    "contact.words": ("Words to compare", "Wörter zum Vergleichen"),
    "contact.compare": (
        "Read these to {name}, in person or on a call. Their page shows the same words, unless somebody is between you.",
        "Lies sie {name} vor, persönlich oder am Telefon. Dort stehen dieselben Wörter, es sei denn, jemand ist dazwischen.",
    ),
    "contact.compared": ("You have compared them.", "Ihr habt sie verglichen."),
    "contact.match": ("All of them match", "Alle stimmen überein"),
    "contact.differ": (
        "If a word differs, the card is not theirs: remove it, and get another from them in person.",
        "Weicht ein Wort ab, ist die Karte nicht echt: Entferne sie, und lass dir persönlich eine andere geben.",
    ),
    "contact.pending-long": (
        "The keys of {name} have changed. Ask whether that is right, and compare the words of the new ones; or discard them.",
        "Die Schlüssel von {name} haben sich geändert. Frag nach, ob das stimmt, und vergleicht die neuen "
        "Wörter; oder verwirf sie.",
    ),
    "contact.discard": ("Discard the new keys", "Neue Schlüssel verwerfen"),
    "contact.end": ("Block or remove", "Blockieren oder entfernen"),
    "contact.block": ("Block", "Blockieren"),
    "contact.unblock": ("Unblock", "Nicht mehr blockieren"),
    "contact.remove": ("Remove …", "Entfernen …"),
    "contact.remove-sure": (
        "This removes {name} and the key faces that you have of them.",
        "Das entfernt {name} und alle Schlüsselgesichter, die du von dort hast.",
    ),
    "contact.remove-go": ("Remove", "Entfernen"),
    "contact.end-hint": (
        "Nothing goes to a blocked contact, and nothing of theirs is opened. What they already have, they keep.",
        "An blockierte Kontakte geht nichts, und nichts von ihnen wird geöffnet. Was sie schon haben, behalten sie.",
    ),
    # Key faces.
    "keyfaces.title": ("Key faces", "Schlüsselgesichter"),
    "keyfaces.lead": (
        "Photos of you that bring back a likeness where nothing is sealed: for covert pictures, or when an "
        "app dropped the seal. "
        "Share them with contacts, and nobody else.",
        "Fotos von dir, die ein Ebenbild zurückbringen, wo nichts versiegelt ist: bei unauffälligen Bildern, "
        "oder wenn eine App "
        "das Siegel verworfen hat. Teile sie mit Kontakten, und mit niemandem sonst.",
    ),
    "keyfaces.none": (
        "You have none yet. You need none to send photos.",
        "Du hast noch keine. Zum Senden brauchst du keine.",
    ),
    "keyfaces.picture": ("The key face {name}", "Das Schlüsselgesicht {name}"),
    "keyfaces.shared": ("Shared with {names}.", "Geteilt mit {names}."),
    "keyfaces.not-shared": ("Not shared yet.", "Noch nicht geteilt."),
    "keyfaces.to": ("Share with", "Teilen mit"),
    "keyfaces.share": ("Save a file for them", "Datei dafür speichern"),
    "keyfaces.remove": ("Remove …", "Entfernen …"),
    "keyfaces.remove-sure": ("Contacts who have it keep it.", "Kontakte, die es haben, behalten es."),
    "keyfaces.remove-go": ("Remove", "Entfernen"),
    "keyfaces.theirs": ("From your contacts", "Von deinen Kontakten"),
    "keyfaces.add": ("Add one of yours", "Eines von dir hinzufügen"),
    "keyfaces.name": ("A name for it", "Ein Name dafür"),
    "keyfaces.drop": ("Drop photos of you here, or choose them", "Leg Fotos von dir hier ab, oder wähle welche"),
    "keyfaces.drop-hint": (
        "They show your face alone, from the front, and not what you show around.",
        "Nur dein Gesicht, von vorn, und keine, die du herumzeigst.",
    ),
    "keyfaces.go": ("Add", "Hinzufügen"),
    "keyfaces.receive": ("Take in one of a contact's", "Eines von einem Kontakt aufnehmen"),
    "keyfaces.receive-drop": (
        "Drop the .sckey file here, or choose it",
        "Leg die .sckey-Datei hier ab, oder wähle sie",
    ),
    "keyfaces.receive-hint": ("A contact made it for you.", "Ein Kontakt hat sie für dich gemacht."),
    "keyfaces.receive-go": ("Take it in", "Aufnehmen"),
    # Oneself.
    "you.title": ("You", "Du"),
    "you.passphrase": ("Change the passphrase", "Passphrase ändern"),
    "you.present": ("The present one", "Die jetzige"),
    "you.new": ("The new one", "Die neue"),
    "you.change": ("Change", "Ändern"),
    "you.revoke": ("For when the keys are lost", "Falls die Schlüssel verloren gehen"),
    "you.revoke-lead": (
        "Whoever adds this file like a card never trusts your present keys again. Keep it where nobody else "
        "finds it, away from "
        "this machine.",
        "Wer diese Datei wie eine Karte hinzufügt, vertraut deinen jetzigen Schlüsseln nie wieder. Bewahre sie getrennt von "
        "diesem Rechner auf, wo niemand sie findet.",
    ),
    "you.revoke-go": ("Save the revocation", "Widerruf speichern"),
    "you.end": ("End StyleCrypt", "StyleCrypt beenden"),
    "you.end-lead": (
        "Your profile is in {folder}. Copy that folder as a backup.",
        "Dein Profil liegt in {folder}. Kopiere den Ordner als Sicherung.",
    ),
    "you.end-go": ("End", "Beenden"),
    # What was done.
    "done.created": ("Your profile is ready. Now exchange cards.", "Dein Profil ist fertig. Tausche jetzt Karten."),
    "done.added": ("Added.", "Hinzugefügt."),
    "done.withdrawn": ("The keys are withdrawn.", "Die Schlüssel sind zurückgezogen."),
    "done.trust": ("They may see your photos now.", "Darf jetzt deine Fotos sehen."),
    "done.distrust": ("They may no longer see your photos.", "Darf deine Fotos nicht mehr sehen."),
    "done.verify": ("Verified.", "Geprüft."),
    "done.discard": ("The new keys are discarded.", "Die neuen Schlüssel sind verworfen."),
    "done.rename": ("Renamed.", "Umbenannt."),
    "done.block": ("Blocked.", "Blockiert."),
    "done.unblock": ("Unblocked.", "Nicht mehr blockiert."),
    "done.remove": ("Removed.", "Entfernt."),
    "done.keyface-added": ("The key face is ready.", "Das Schlüsselgesicht ist fertig."),
    "done.keyface-received": ("The key face is taken in.", "Das Schlüsselgesicht ist aufgenommen."),
    "done.keyface-removed": ("The key face is removed.", "Das Schlüsselgesicht ist entfernt."),
    "done.passphrase": ("The passphrase is changed.", "Die Passphrase ist geändert."),
}
"""By key: in `LANGUAGES`. Names in braces are filled in; "|" divides one from many."""
