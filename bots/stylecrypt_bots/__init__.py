"""The Matrix bot of StyleCrypt."""
