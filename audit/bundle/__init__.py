"""The evidence export: a ZIP that `audit/verifier/verify.py` checks without trusting us."""
