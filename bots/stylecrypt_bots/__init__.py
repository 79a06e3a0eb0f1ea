"""StyleCrypt's Matrix bot: it talks to its owner in a private room, and posts and opens pictures in others."""
