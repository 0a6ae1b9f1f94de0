"""Errors of the command line."""

from __future__ import annotations


class CliError(Exception):
    """Something the user can put right. Every line of the message is shown as it is; the exit code is 2."""
