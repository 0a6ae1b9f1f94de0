"""An operator that is killed at one of its writes leaves what one leaves that isn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.control_plane import ControlPlane
from support.fault_proxy import fault_proxy
from support.fault_proxy_forks import forks
from support.fault_proxy_kills import Chain
from support.fault_proxy_people import people
from support.fault_proxy_stories import STORIES, end_unkilled, kill_at, prepare, wrong_ends
from support.operator_process import tracebacks


@pytest.mark.timeout(400)
def test_each_kind_of_write_can_be_the_last_before_it_or_after_it(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    with (
        people(control_plane) as they,
        fault_proxy(control_plane) as proxy,
        forks(tmp_path / "log") as forked,
    ):
        config = proxy.kubeconfig(tmp_path / "config", control_plane.token)
        chain = Chain(proxy, forked, [namespace], config)
        with chain.operator():
            ends, points = end_unkilled(they, namespace, proxy, STORIES, each=False)
            prepare(they, namespace, points)
        assert kill_at(they, namespace, chain, points, patience=20) == []
        # One operator for the reference; each of the others fell at a point, or at several at once.
        assert 1 < chain.lives <= 1 + sum(len(named) for named in points.values())
        with chain.operator() as last:
            assert wrong_ends(they, namespace, points, ends, 60) == []
        assert tracebacks(last.log) == []
