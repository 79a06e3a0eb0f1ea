"""The laboratory: training, evaluation, attacks and benchmarks of what `stylecrypt_msg` does, which knows nothing of it."""
