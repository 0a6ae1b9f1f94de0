"""Which version of the pods to run: pure functions of the spec, what is kept, and what was seen."""

from ragfleet_operator.revisions.live import running
from ragfleet_operator.revisions.plan import Plan, needs_pods, plan
from ragfleet_operator.revisions.rollout import Rollout, is_rolled_out
from ragfleet_operator.revisions.state import as_json, is_rolled_back, state_of
from ragfleet_operator.revisions.stored import Stored, stored

__all__ = [
    "Plan",
    "Rollout",
    "Stored",
    "as_json",
    "is_rolled_back",
    "is_rolled_out",
    "needs_pods",
    "plan",
    "running",
    "state_of",
    "stored",
]
