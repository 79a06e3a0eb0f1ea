"""What StyleCrypt's parts cost on this machine: functions that return typed rows. ``stylecrypt bench`` prints them."""
