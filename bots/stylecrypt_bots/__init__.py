"""The Matrix bot of StyleCrypt. Nothing is here yet but its name."""
