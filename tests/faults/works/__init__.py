"""A workshop whose every effect is counted by a recorder outside the product: the app of the fault tests."""
