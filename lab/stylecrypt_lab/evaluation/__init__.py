"""The paper's experiments on any model and any folder of faces, and what attackers learn."""
