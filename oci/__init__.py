"""Values and grammars of the OCI specifications; no I/O."""
