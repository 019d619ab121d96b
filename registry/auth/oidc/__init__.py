"""OIDC: tokens of CI issuers, the trusts that accept them, and the addresses of issuers."""
