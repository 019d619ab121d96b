"""Identities: who a caller is, what they may do, and the operations on principals and grants."""
