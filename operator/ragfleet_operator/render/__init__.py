"""What a pipeline's children should be: pure functions, one file for each kind."""

from ragfleet_operator.render.all import render, without_workload
from ragfleet_operator.render.config import config_of, query_fingerprint_of
from ragfleet_operator.render.inputs import Inputs, inputs_of
from ragfleet_operator.render.references import Reference, references
from ragfleet_operator.render.revision import rendered

__all__ = [
    "Inputs",
    "Reference",
    "config_of",
    "inputs_of",
    "query_fingerprint_of",
    "references",
    "render",
    "rendered",
    "without_workload",
]
