"""StyleCrypt: the SDK."""
