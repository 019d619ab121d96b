"""Registry credentials in the files and helpers shared by all clients."""

from runner.credentials.store import CredentialStore, SaveResult
from runner.credentials.values import Credentials, CredentialsInvalid

__all__ = ["CredentialStore", "Credentials", "CredentialsInvalid", "SaveResult"]
