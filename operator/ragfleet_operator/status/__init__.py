"""What a pipeline's status should say: pure functions."""

from ragfleet_operator.status.assess import assess, assess_invalid, assess_suspended
from ragfleet_operator.status.change import (
    Transition,
    Urgency,
    is_settled,
    is_stalled,
    patch,
    transitions,
    urgency,
)
from ragfleet_operator.status.pods import ready_pods, troubles

__all__ = [
    "Transition",
    "Urgency",
    "assess",
    "assess_invalid",
    "assess_suspended",
    "is_settled",
    "is_stalled",
    "patch",
    "ready_pods",
    "transitions",
    "troubles",
    "urgency",
]
