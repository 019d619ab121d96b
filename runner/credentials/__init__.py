"""Credentials for registries: kept in the files and helper programs that every client shares."""

from runner.credentials.store import CredentialStore, SaveResult
from runner.credentials.values import Credentials, CredentialsInvalid

__all__ = ["CredentialStore", "Credentials", "CredentialsInvalid", "SaveResult"]
