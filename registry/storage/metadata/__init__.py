"""Metadata: the rows that say which bytes exist, and what names them."""
