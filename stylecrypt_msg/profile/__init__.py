"""Who I am, whom I trust, my key faces, and what I have received: one folder, encrypted at rest."""

from .app_records import Records
from .contacts import Added
from .folder import default_folder
from .profile import Profile
from .records import STORED, Contact, Conversation, MyKeyFace, TheirKeyFace

__all__ = [
    "STORED",
    "Added",
    "Contact",
    "Conversation",
    "MyKeyFace",
    "Profile",
    "Records",
    "TheirKeyFace",
    "default_folder",
]
