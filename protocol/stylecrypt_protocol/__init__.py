"""The wire format of StyleCrypt."""
