"""A client of other registries: the OCI distribution protocol.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
"""
