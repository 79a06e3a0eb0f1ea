"""Who I am, whom I trust, my key faces, and what I have received: one folder, encrypted at rest."""

from .contacts import Added
from .folder import default_folder
from .profile import Profile
from .records import Contact, Conversation, MyKeyFace, TheirKeyFace

__all__ = ["Added", "Contact", "Conversation", "MyKeyFace", "Profile", "TheirKeyFace", "default_folder"]
