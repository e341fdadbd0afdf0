"""The offline verifier: `verify.py` is one file and imports nothing of this project."""
