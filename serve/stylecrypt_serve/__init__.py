"""A server that makes covers for others, and its client. See ``docs/serve.md``."""
