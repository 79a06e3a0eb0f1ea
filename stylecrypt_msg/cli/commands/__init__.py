"""The commands and their options. What they do is imported when they run: --help answers in a fifth of the time.

Annotations are evaluated here once, and not put off: typer would compile each of hundreds.
"""
