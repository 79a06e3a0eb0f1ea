"""The library's sentences in German: what can go wrong with photos, messages, cards and profiles."""

from __future__ import annotations

__all__ = ["GERMAN"]

GERMAN: dict[str, str] = {
    # Photos.
    "The picture is empty: 0 bytes.": "Das Bild ist leer: 0 Bytes.",
    "Download it again.": "Lade es noch einmal herunter.",
    "The picture file is larger than … MB.": "Die Bilddatei ist größer als … MB.",
    "Save a smaller copy and use that.": "Speichere eine kleinere Kopie, und nimm die.",
    "The picture has … x … pixels; up to … million are read.": (
        "Das Bild hat … x … Bildpunkte; bis zu … Millionen werden gelesen."
    ),
    "The picture has too many pixels; up to … million are read.": (
        "Das Bild hat zu viele Punkte; bis zu … Millionen werden gelesen."
    ),
    "Make a smaller copy and use that.": "Mach eine kleinere Kopie, und nimm die.",
    "This is not a picture, or its beginning is damaged.": "Das ist kein Bild, oder sein Anfang ist beschädigt.",
    "PNG, JPEG, WebP, HEIC, AVIF, GIF and BMP files are read.": (
        "Gelesen werden PNG, JPEG, WebP, HEIC, AVIF, GIF und BMP."
    ),
    "This is a film, a damaged HEIC or AVIF picture, or one that carries no message.": (
        "Das ist ein Film, ein beschädigtes HEIC- oder AVIF-Bild, oder eines, das keine Nachricht trägt."
    ),
    "Save it as JPEG first. Messages travel in PNG, JPEG and WebP pictures.": (
        "Speichere es erst als JPEG. Nachrichten reisen in PNG-, JPEG- und WebP-Bildern."
    ),
    "TIFF and raw pictures are not read.": "TIFF- und Rohdaten-Bilder werden nicht gelesen.",
    "Save it as PNG or JPEG first.": "Speichere es erst als PNG oder JPEG.",
    "The picture is in more than … scans.": "Das Bild besteht aus mehr als … Durchgängen.",
    "Open it in a viewer and save it again.": "Öffne es in einem Bildprogramm, und speichere es neu.",
    "The picture is damaged or cut off: its pixels cannot be read to the end.": (
        "Das Bild ist beschädigt oder abgeschnitten: Es lässt sich nicht bis zum Ende lesen."
    ),
    "Open it in a viewer and save it again, or download it again.": (
        "Öffne es in einem Bildprogramm und speichere es neu, oder lade es noch einmal herunter."
    ),
    "A picture of … x … pixels cannot be written as ….": "Ein Bild von … x … Punkten lässt sich nicht als … schreiben.",
    "Write it as PNG, or make it smaller.": "Nimm PNG, oder mach es kleiner.",
    "The picture has … x … pixels; up to … a side and … million in all can be sent.": (
        "Das Bild hat … x … Punkte; bis zu … je Seite und … Millionen im Ganzen können gesendet werden."
    ),
    # Faces.
    "No face was found in the picture.": "Im Bild wurde kein Gesicht gefunden.",
    "Use a photo in which the face is at least 40 px wide and not covered.": (
        "Nimm ein Foto, auf dem das Gesicht mindestens 40 Punkte breit und nicht verdeckt ist."
    ),
    "A face that was not found at first would still be seen.": (
        "Ein Gesicht, das zuerst nicht gefunden wurde, wäre noch zu sehen."
    ),
    "Use another photo.": "Nimm ein anderes Foto.",
    "Use a part of the photo.": "Nimm einen Ausschnitt.",
    "The face": "Das Gesicht",
    "Face … of …, from the left,": "Gesicht … von …, von links,",
    "The fake face": "Das neue Gesicht",
    "The fake of face … of …, from the left,": "Das neue für Gesicht … von …, von links,",
    "… is to be kept.": "… soll gezeigt werden.",
    "… cannot be replaced: ….": "… lässt sich nicht ersetzen: ….",
    "… would still be seen.": "… wäre noch zu sehen.",
    "the face is too small to be replaced": "es ist zu klein",
    "the face is cut off by the border of the picture": "der Rand des Bildes schneidet es ab",
    "the face is turned too far aside": "es ist zu weit zur Seite gedreht",
    "the face is partly covered, or not clear enough, to be replaced": (
        "es ist teils verdeckt oder nicht deutlich genug"
    ),
    "the face is not certain to be one: it may be something else": "vielleicht ist es kein Gesicht",
    "the face is still recognised with every stand-in that was tried": "kein Ersatzgesicht macht es unkenntlich",
    "all are to be blurred": "alle sollen verwischt werden",
    "Face … is both to be replaced and to be kept.": "Gesicht … soll ersetzt und zugleich gezeigt werden.",
    "There is no face …: … found.": "Ein Gesicht … gibt es nicht: … gefunden.",
    "1 face was": "1 wurde",
    "… faces were": "… wurden",
    "Faces are counted from 1, left to right.": "Gezählt wird ab 1, von links nach rechts.",
    "… faces can be replaced, but a message holds ….": (
        "… Gesichter lassen sich ersetzen, aber in eine Nachricht passen …."
    ),
    "A portrait shows one face, but … were found.": "Ein Porträt zeigt ein Gesicht, gefunden wurden ….",
    "No face in the picture can be replaced: ….": "Kein Gesicht im Bild lässt sich ersetzen: ….",
    "Blurred faces come back at levels original and imprint: use one of them, or another photo.": (
        "Verwischte Gesichter kommen nur mit „Das Foto, wie es war“ und „Die Gesichter, klein“ zurück: Nimm eines davon, "
        "oder ein anderes Foto."
    ),
    "… still looks like the original to …: distance …, and below … two faces are the same person.": (
        "… ähnelt für … noch dem Original: Abstand …; unter … gelten zwei Gesichter als dieselbe Person."
    ),
    "At the size that this app takes, other faces are found than in the whole photo.": (
        "In der Größe, die diese App nimmt, werden andere Gesichter gefunden als im ganzen Foto."
    ),
    "Hide all faces, or choose no app.": "Ersetze alle Gesichter, oder wähle keine App.",
    # Sending.
    "No photo was chosen.": "Es wurde kein Foto gewählt.",
    "No file was chosen.": "Es wurde keine Datei gewählt.",
    "Choose one.": "Wähle etwas aus.",
    "The form cannot be read.": "Das Formular lässt sich nicht lesen.",
    "Load the page again.": "Lade die Seite neu.",
    "No recipients were given, and level … needs at least one.": (
        "Niemand ist ausgewählt, und die Stufe … braucht mindestens einen Kontakt."
    ),
    "A caption travels sealed, and nothing is sealed here.": (
        "Ein Bildtext reist versiegelt, und hier wird nichts versiegelt."
    ),
    "Leave it out.": "Lass ihn weg.",
    "A covert picture carries no seal, so it cannot be of level ….": (
        "Ein unauffälliges Bild trägt kein Siegel; das passt nicht zur Stufe …."
    ),
    "The exact file goes with level original, not ….": (
        "Die ganze Datei geht nur mit „Das Foto, wie es war“, nicht mit …."
    ),
    "Level imprint without an imprint has nothing to send.": "So gibt es nichts zu senden.",
    "Choose level original, or leave the imprint in.": "Wähle „Das Foto, wie es war“.",
    "… Level imprint sends nothing else.": "… In dieser Stufe wird sonst nichts gesendet.",
    "Use level original, or a larger photo.": "Wähle „Das Foto, wie es war“, oder ein größeres Foto.",
    "What is to be sealed is too large for one message.": "Was versiegelt werden soll, ist zu groß für eine Nachricht.",
    "Nothing was sent.": "Es wurde nichts gesendet.",
    "An app that drops the envelope drops the faces with it: ….": (
        "Eine App, die den Umschlag verwirft, verwirft auch die Gesichter: …."
    ),
    "the picture is smaller than … pixels": "das Bild ist kleiner als … Punkte",
    "the picture is too even": "das Bild ist zu gleichmäßig",
    "the pixels have no room for them where nobody would notice": (
        "in den Bildpunkten ist kein Platz, an dem sie nicht auffielen"
    ),
    "The pixels have no room for …; an app that drops the envelope drops that, too.": (
        "In den Bildpunkten ist kein Platz für …; eine App, die den Umschlag verwirft, verwirft auch das."
    ),
    "… of the recipients and … of the faces": "… der Kontakte und … der Gesichter",
    "… of the recipients and the caption": "… der Kontakte und den Bildtext",
    "… of the faces and the caption": "… der Gesichter und den Bildtext",
    "… of the recipients and … of the faces and the caption": "… der Kontakte, … der Gesichter und den Bildtext",
    "… of the recipients": "… der Kontakte",
    "… of the faces": "… der Gesichter",
    "the caption": "den Bildtext",
    "… The picture is too smooth to hold the faces firmly: an app may destroy them.": (
        "… Das Bild ist zu glatt, um die Gesichter festzuhalten: Die App zerstört sie vielleicht."
    ),
    "The picture is too smooth to hold the faces firmly: an app may destroy them.": (
        "Das Bild ist zu glatt, um die Gesichter festzuhalten: Die App zerstört sie vielleicht."
    ),
    # Opening.
    "One picture at a time can be opened.": "Es lässt sich immer nur ein Bild öffnen.",
    "Choose one, and its … file if there is one.": "Wähle eines, und die …-Datei dazu, wenn es eine gibt.",
    "There is no message with this picture, so there is nothing to decrypt it with.": (
        "Zu diesem Bild gibt es keine Nachricht, und nichts, womit es sich öffnen ließe."
    ),
    "The key face … that this picture needs is missing.": "Das Schlüsselgesicht …, das dieses Bild braucht, fehlt.",
    "of the sender": "der Person, die es geschickt hat",
    "of …": "von …",
    "The file that was sealed is not a picture that can be shown. …": (
        "Die versiegelte Datei ist kein Bild, das sich zeigen lässt. …"
    ),
    "The picture's pixels hold a message that cannot be read any more: the picture was changed too much.": (
        "In den Bildpunkten steckt eine Nachricht, die nicht mehr lesbar ist: Das Bild wurde zu stark verändert."
    ),
    "Ask the sender to send it again, as a file.": "Lass es dir noch einmal schicken, als Datei.",
    "Ask the sender to send it again.": "Lass es dir noch einmal schicken.",
    "What the pixels held cannot be read any more: the picture was changed too much.": (
        "Was in den Bildpunkten steckte, ist nicht mehr lesbar: Das Bild wurde zu stark verändert."
    ),
    "The picture was changed on the way: what lies outside the faces is as it arrived.": (
        "Das Bild wurde unterwegs verändert: Was außerhalb der Gesichter liegt, ist so, wie es ankam."
    ),
    "The envelope was lost on the way. The faces come from the picture's pixels, small.": (
        "Der Umschlag ging unterwegs verloren. Die Gesichter kommen aus den Bildpunkten, klein."
    ),
    "… still hidden: the pixels had no room for more.": "… noch verborgen: In den Bildpunkten war kein Platz für mehr.",
    "1 face is": "1 Gesicht ist",
    "… faces are": "… Gesichter sind",
    "A key face of … was used; nothing proves that they sent it.": (
        "Benutzt wurde ein Schlüsselgesicht von …; nichts beweist, dass das Bild von dort kommt."
    ),
    "… The face was recovered with a key face instead.": "… Das Gesicht kommt stattdessen aus einem Schlüsselgesicht.",
    "… Nothing proves who sent it.": "… Nichts beweist, von wem es ist.",
    "It was sent to another chat: somebody posted it again in this one.": "Es war für einen anderen Chat.",
    "… faces were found; the largest, number … from the left, was recovered": (
        "… Gesichter wurden gefunden; das größte, Nummer … von links, wurde zurückgewonnen"
    ),
    "The faces in the picture's imprint cannot be read.": "Die Gesichter in den Bildpunkten lassen sich nicht lesen.",
    "The original cannot be read from the message: ….": "Das Original lässt sich aus der Nachricht nicht lesen: ….",
    "The model's style vectors cannot be sent: they exceed 16-bit numbers.": (
        "Das Ebenbild lässt sich nicht senden: Seine Zahlen sind zu groß."
    ),
    "Use level original, or another model.": "Wähle „Das Foto, wie es war“.",
    "There is no profile to do this with.": "Es gibt kein Profil dafür.",
    "The sender is not among your contacts any more.": "Wer das geschickt hat, gehört nicht mehr zu deinen Kontakten.",
    "This … is from …, whom you have blocked.": "Das ist von …: … hast du blockiert.",
    "These bytes are damaged, or were never made by StyleCrypt.": (
        "Die Daten sind beschädigt, oder sie stammen nicht von StyleCrypt."
    ),
    "These bytes are damaged, or were never made by StyleCrypt (…).": (
        "Die Daten sind beschädigt, oder sie stammen nicht von StyleCrypt (…)."
    ),
    "This is larger than any honest message, so it was not read.": (
        "Das ist größer als jede ehrliche Nachricht, und wurde nicht gelesen."
    ),
    "This is larger than any honest message, so it was not read (…).": (
        "Das ist größer als jede ehrliche Nachricht, und wurde nicht gelesen (…)."
    ),
    "This was made by a version of StyleCrypt that is newer than this one, or of a kind that it cannot read.": (
        "Das stammt von einer neueren Version von StyleCrypt, oder ist von einer Art, die diese nicht lesen kann."
    ),
    "This was made by a version of StyleCrypt that is newer than this one, or of a kind that it cannot read (…).": (
        "Das stammt von einer neueren Version von StyleCrypt, oder ist von einer Art, die diese nicht lesen kann (…)."
    ),
    "Update StyleCrypt.": "Aktualisiere StyleCrypt.",
    "This message has no sealed part: it does not say who sent it, and nobody signed it.": (
        "Diese Nachricht hat keinen versiegelten Teil: Sie sagt nicht, von wem sie ist, und niemand hat sie unterschrieben."
    ),
    "This message was sealed to somebody else.": "Diese Nachricht ist für jemand anderen versiegelt.",
    "This message is from somebody who is not among your contacts (…).": (
        "Diese Nachricht ist von jemandem, der nicht zu deinen Kontakten gehört (…)."
    ),
    "This message is from somebody who is not among your contacts.": (
        "Diese Nachricht ist von jemandem, der nicht zu deinen Kontakten gehört."
    ),
    "Add their card, verify it with them, then open the message again.": (
        "Füge die Karte hinzu, vergleicht die Wörter, und öffne das Bild dann noch einmal."
    ),
    "This message names a key that its owner has withdrawn.": (
        "Diese Nachricht nennt einen Schlüssel, der zurückgezogen wurde."
    ),
    "Do not trust it; ask them for their new card.": "Vertrau ihr nicht; bitte um die neue Karte.",
    "The signature is not the named sender's: somebody made or changed this to deceive you.": (
        "Die Unterschrift ist falsch: Jemand hat das gemacht oder verändert, um dich zu täuschen."
    ),
    "The sender wrote this to other people, not to you: somebody sealed it again as if you had been addressed.": (
        "Das war für andere Leute, nicht für dich: Jemand hat es neu versiegelt, als wärst du gemeint."
    ),
    "The sealed part belongs to another message: somebody put it beside a picture that it was not made for.": (
        "Der versiegelte Teil gehört zu einer anderen Nachricht: Jemand hat ihn zu einem fremden Bild gelegt."
    ),
    "The message is the sender's, but the picture beside it is not the one that they sent.": (
        "Die Nachricht ist echt, aber das Bild dazu ist ein anderes als das gesendete."
    ),
    "This is dated in the future.": "Das ist auf die Zukunft datiert.",
    "This is dated in the future (…).": "Das ist auf die Zukunft datiert (…).",
    "Check your clock; if it is right, the sender's is fast.": (
        "Prüf deine Uhr; geht sie richtig, geht die der Gegenseite vor."
    ),
    "This message is too old to tell whether it is being sent to you a second time.": (
        "Diese Nachricht ist zu alt, um zu sagen, ob sie ein zweites Mal kommt."
    ),
    "You have received this message before: somebody sent it again.": (
        "Diese Nachricht hattest du schon: Jemand hat sie noch einmal geschickt."
    ),
    # Cards and contacts.
    "This is neither a card nor a picture of one.": "Das ist weder eine Karte noch ein Bild von einer.",
    "Use the file of a card, its text, or its QR code.": "Nimm die Datei einer Karte, ihren Text oder ihren QR-Code.",
    "No QR code was found in the picture.": "Im Bild wurde kein QR-Code gefunden.",
    "Use a sharp picture that shows all of the code.": "Nimm ein scharfes Bild, das den ganzen Code zeigt.",
    "This text is no card.": "Dieser Text ist keine Karte.",
    "Paste all of it.": "Füge ihn ganz ein.",
    "No card was given.": "Es wurde keine Karte angegeben.",
    "Choose a file or a picture, or paste the text.": "Wähle eine Datei oder ein Bild, oder füge den Text ein.",
    "This card is your own.": "Das ist deine eigene Karte.",
    "Add the cards of others, and give them yours.": "Füge die Karten anderer hinzu, und gib ihnen deine.",
    "This card has your own user id, with other keys.": (
        "Diese Karte trägt deine eigene Kennung, mit anderen Schlüsseln."
    ),
    "Ask the person who sent it for their own card.": "Bitte um eine eigene.",
    "The keys of … were withdrawn.": "Die Schlüssel von … wurden zurückgezogen.",
    "Ask them for their new card, and add it.": "Bitte um die neue Karte, und füge sie hinzu.",
    "The keys of … have changed, and nobody vouches for the new ones.": (
        "Die Schlüssel von … haben sich geändert, und niemand bürgt für die neuen."
    ),
    "Ask them whether that is right.": "Frag nach, ob das stimmt.",
    "This card has the keys of one contact and the user id of another: ….": (
        "Diese Karte trägt die Schlüssel des einen und die Kennung des anderen Kontakts: …."
    ),
    "Ask them which is right.": "Frag nach, was stimmt.",
    "There is no contact ….": "Den Kontakt … gibt es nicht.",
    "Yours: ….": "Deine: ….",
    "none yet": "noch keine",
    "… contacts are called ….": "… Kontakte heißen ….",
    "Use a user id or card id: ….": "Nimm die Kennung: ….",
    "… cannot be the name of a contact.": "… kann nicht der Name eines Kontakts sein.",
    "Names have one line of up to 128 bytes.": "Namen haben eine Zeile von bis zu 128 Bytes.",
    "Another contact is called ….": "Ein anderer Kontakt heißt ….",
    "Choose another name.": "Wähle einen anderen Namen.",
    "You have blocked ….": "Du hast … blockiert.",
    "… is not authorised to see your photos….": "… darf deine Fotos nicht sehen….",
    "… is not authorised to see your photos.": "… darf deine Fotos nicht sehen.",
    "These are not the words of …, or another card came while you compared them.": (
        "Das sind nicht die Wörter von …, oder inzwischen kam eine andere Karte."
    ),
    "… may see your photos in every conversation.": "… darf deine Fotos überall sehen.",
    # Key faces.
    "There is no photo to make a key face of.": "Es gibt kein Foto für ein Schlüsselgesicht.",
    "Give one or several of the same person.": "Nimm eines oder mehrere derselben Person.",
    "A key face is shared with 1 to … contacts at once, not ….": (
        "Ein Schlüsselgesicht teilst du mit 1 bis … Kontakten, nicht mit …."
    ),
    "… found in ….": "… in … gefunden.",
    "No face was": "Kein Gesicht wurde",
    "the photo": "diesem Foto",
    "photo …": "Foto …",
    "Use a photo that shows one face, yours, from the front.": "Nimm ein Foto, das nur dein Gesicht zeigt, von vorn.",
    "The face in … is too small or too far from the front.": "Das Gesicht in … ist zu klein oder zu weit gedreht.",
    "The key face is not a picture that can be read. …": "Das Schlüsselgesicht ist kein lesbares Bild. …",
    "No key face is made of …: …": "Aus … wird kein Schlüsselgesicht: …",
    "No face was found in the key face photo.": "Im Foto für das Schlüsselgesicht wurde kein Gesicht gefunden.",
    "Use a photo that shows the face from the front.": "Nimm ein Foto, das das Gesicht von vorn zeigt.",
    "… cannot be the name of a key face.": "… kann nicht der Name eines Schlüsselgesichts sein.",
    "There is a key face … already.": "Ein Schlüsselgesicht … gibt es schon.",
    "A key face has at most … MB, and this picture is larger.": (
        "Ein Schlüsselgesicht hat höchstens … MB; dieses Bild ist größer."
    ),
    "Cut out the face, or make it smaller.": "Schneide das Gesicht aus, oder mach es kleiner.",
    "There is no key face … of yours.": "Ein Schlüsselgesicht … hast du nicht.",
    # The profile.
    "The profile is locked.": "Das Profil ist gesperrt.",
    "The passphrase is wrong.": "Die Passphrase ist falsch.",
    "Type it again; nothing was changed.": "Gib sie noch einmal ein; es wurde nichts verändert.",
    "The passphrase is empty.": "Die Passphrase ist leer.",
    "The passphrase is empty, or not text.": "Die Passphrase ist leer, oder kein Text.",
    "The two passphrases differ.": "Die beiden Passphrasen sind verschieden.",
    "Type the same one twice.": "Gib zweimal dieselbe ein.",
    "Use another one, or none.": "Nimm eine andere.",
    "The profile is locked, and no passphrase was given.": "Das Profil ist gesperrt, und es kam keine Passphrase.",
    "Give its passphrase.": "Gib die Passphrase ein.",
    "A card cannot hold the name … with the user id ….": "Eine Karte kann den Namen … mit der Kennung … nicht tragen.",
    "Names have one line of up to 128 bytes, and user ids no spaces.": "Namen haben eine Zeile von bis zu 128 Bytes.",
    "There is no profile in ….": "In … gibt es kein Profil.",
    "There is a profile in … already.": "In … gibt es schon ein Profil.",
    "There is too little memory: … MiB are needed to turn a passphrase into a key.": (
        "Der Speicher reicht nicht: Für die Passphrase werden … MiB gebraucht."
    ),
    "End other programs, and try again.": "Beende andere Programme, und versuch es noch einmal.",
    "The profile in … is damaged: … cannot be read.": "Das Profil in … ist beschädigt: … ist nicht lesbar.",
    "The profile in … is damaged: a … is not one.": "Das Profil in … ist beschädigt: … ist nicht lesbar.",
    "The profile in … is damaged: its keys are missing.": "Das Profil in … ist beschädigt: Die Schlüssel fehlen.",
    "The profile in … is damaged.": "Das Profil in … ist beschädigt.",
    "Restore it from a copy.": "Stelle es aus einer Sicherung wieder her.",
    "A … of … MB is too large to be kept.": "… mit … MB ist zu groß, um aufbewahrt zu werden.",
    "… is not text.": "… ist kein Text.",
    "Names and paths have to be UTF-8.": "Namen und Pfade müssen UTF-8 sein.",
    "Another program is reading the profile in …, so its files still hold overwritten data.": (
        "Ein anderes Programm liest gerade das Profil in …; darum stehen noch alte Daten in den Dateien."
    ),
    "Another program keeps the profile in … busy: nothing was changed.": (
        "Ein anderes Programm beschäftigt das Profil in …: Es wurde nichts verändert."
    ),
    "The disk is full: nothing was changed.": "Der Speicherplatz ist voll: Es wurde nichts verändert.",
    "End that program, and try again.": "Beende es, und versuch es noch einmal.",
    "A profile cannot be made in …: ….": "In … lässt sich kein Profil anlegen: ….",
    "The profile in … cannot be opened: ….": "Das Profil in … lässt sich nicht öffnen: ….",
    "The folder has to be yours.": "Der Ordner muss dir gehören.",
    "The folder and the files in it have to be yours, and writable.": (
        "Der Ordner und die Dateien darin müssen dir gehören und beschreibbar sein."
    ),
    "Check the disk, its free space and your quota, and try again.": (
        "Prüfe den Datenträger, den freien Platz und dein Kontingent, und versuch es noch einmal."
    ),
    "End that program, or try again later.": "Beende es, oder versuch es später noch einmal.",
    "The profile in … was written by a later version of StyleCrypt.": (
        "Das Profil in … stammt von einer neueren Version von StyleCrypt."
    ),
    "… cannot be closed to others: ….": "… lässt sich nicht vor anderen verschließen: ….",
    "There is no home folder to keep a profile in.": "Es gibt kein Heimatverzeichnis für ein Profil.",
    "Others may read …, which holds more than a profile.": (
        "Andere dürfen … lesen, und darin liegt mehr als ein Profil."
    ),
    "This is a bug: … in … line ….": "Das ist ein Fehler im Programm: … in …, Zeile ….",
    "Report it with what you did.": "Melde ihn mit dem, was du getan hast.",
}
"""By the English sentence, with "…" for each part that varies, in the same order; such a part may have a line of its own."""
