"""The Matrix bot of StyleCrypt: it talks to its owner in a private room, and posts and opens pictures in others."""
