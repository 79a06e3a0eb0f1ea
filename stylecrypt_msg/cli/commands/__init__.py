"""The commands and their options. Their work is imported when they run, so that --help answers in a fifth of the time.

Annotations are evaluated here, not postponed: typer would compile hundreds of them.
"""
