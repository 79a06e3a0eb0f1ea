"""The paper's experiments on any model and any folder of faces, and what an attacker gets."""
