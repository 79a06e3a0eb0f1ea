"""What StyleCrypt's parts cost on this machine: functions that return typed rows, which ``stylecrypt bench`` prints."""
