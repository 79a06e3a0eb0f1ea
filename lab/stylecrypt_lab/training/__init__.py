"""Training of the embedded model's encoder. Needs the extra ``train``."""
