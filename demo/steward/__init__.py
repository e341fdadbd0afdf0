"""How a model may write SQL: a login that can do little, a list of what may be said, and rows that people see."""
