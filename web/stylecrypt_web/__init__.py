"""``stylecrypt web``: a page of this machine, for people without a terminal."""
