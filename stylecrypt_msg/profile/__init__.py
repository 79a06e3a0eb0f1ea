"""Who I am, whom I trust, my key faces, and what I have received: one folder, encrypted at rest."""

from .profile import Added, Profile, default_folder
from .records import Contact, Conversation, MyKeyFace, TheirKeyFace

__all__ = ["Added", "Contact", "Conversation", "MyKeyFace", "Profile", "TheirKeyFace", "default_folder"]
