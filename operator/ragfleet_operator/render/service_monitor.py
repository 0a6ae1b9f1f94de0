"""How the Prometheus operator has the service's metrics read."""

from __future__ import annotations

from typing import Final

from ragfleet_operator import names
from ragfleet_operator.kinds import SERVICE_MONITOR
from ragfleet_operator.model import Child, Observation, Pipeline
from ragfleet_operator.render.parts import child
from ragfleet_operator.render.secret import ADMIN_TOKEN
from ragfleet_operator.render.service import ADMIN_PORT_NAME

_DEFAULT_INTERVAL: Final = 30
_LONGEST_SCRAPE: Final = 10


def service_monitor(pipeline: Pipeline, seen: Observation) -> Child | None:
    """The ServiceMonitor; None where the pipeline asks for none, or the cluster doesn't know the kind."""
    if pipeline.spec.monitoring is None or SERVICE_MONITOR not in seen.kinds:
        return None
    section = pipeline.spec.monitoring.service_monitor
    interval = section.interval_seconds or _DEFAULT_INTERVAL
    token = {"name": names.admin_secret(pipeline.key.name), "key": ADMIN_TOKEN}
    endpoint = {
        # The name is that of the admin Service's port, so the public one gives nothing to read.
        "port": ADMIN_PORT_NAME,
        "path": "/metrics",
        "interval": f"{interval}s",
        # Prometheus refuses a timeout above the interval, and its own default may be above.
        "scrapeTimeout": f"{min(interval, _LONGEST_SCRAPE)}s",
        "authorization": {"type": "Bearer", "credentials": token},
    }
    spec = {"selector": {"matchLabels": names.selector(pipeline.key.name)}, "endpoints": [endpoint]}
    return child(SERVICE_MONITOR, pipeline, {"spec": spec}, labels=section.labels)
