"""The vocabulary: values and grammars of the OCI specifications; no I/O."""
