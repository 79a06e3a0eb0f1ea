import os

# Of several workers each has a core; libraries look at this as they are imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
