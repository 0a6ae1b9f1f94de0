"""Errors that reach a person: each message is one line and says what to change."""

from __future__ import annotations


class StartError(Exception):
    """The service can't start with this configuration, data folder or port."""


class StorageError(Exception):
    """The documents or the index can't be read or written; the message is the store's own."""


class StorageFullError(StorageError):
    """There is no room to write; nothing of the batch was accepted."""


class EngineError(StorageError):
    """The engine failed an operation; the message is the engine's own."""
