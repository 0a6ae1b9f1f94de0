"""What a pipeline's children should be: pure functions, one file for each kind."""

from ragfleet_operator.render.all import config_of, query_fingerprint_of, render, without_workload
from ragfleet_operator.render.references import Reference, references

__all__ = ["Reference", "config_of", "query_fingerprint_of", "references", "render", "without_workload"]
