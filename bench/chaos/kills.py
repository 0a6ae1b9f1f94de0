"""An operator killed before and after each write of each story, compared with one that isn't."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.table import Bar
from support.control_plane import ControlPlane
from support.fault_proxy import FaultProxy
from support.fault_proxy_forks import forks
from support.fault_proxy_kills import Chain
from support.fault_proxy_people import people
from support.fault_proxy_stories import ROLLBACK, STORIES, end_unkilled, kill_at, prepare, wrong_ends
from support.operator_process import tracebacks

_PATIENCE_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 180.0


def every_kill_point(cluster: ControlPlane, proxy: FaultProxy, folder: Path) -> list[Bar]:
    """Bars of the points that were come to, and of what ended otherwise."""
    with (
        people(cluster) as they,
        they.namespaces(["kills"]) as (place,),
        forks(folder / "log") as forked,
    ):
        chain = Chain(proxy, forked, [place], proxy.kubeconfig(folder / "admin", cluster.token))
        with chain.operator():
            ends, points = end_unkilled(they, place, proxy, [*STORIES, ROLLBACK], each=True)
            prepare(they, place, points)
        count = sum(len(named) for named in points.values())
        ahead = kill_at(they, place, chain, points, patience=_PATIENCE_SECONDS)
        with chain.operator() as last:
            wrong = wrong_ends(they, place, points, ends, _SETTLE_SECONDS)
        failed = tracebacks(last.log)
    for line in (*ahead, *wrong, *failed):
        print(line[:300])
    return [
        Bar(
            "kill points that weren't come to",
            len(ahead),
            "==",
            0,
            "",
            f"of {count}; {chain.lives} operators",
        ),
        Bar("ends that differ from that without a kill", len(wrong), "==", 0, ""),
        Bar("tracebacks", len(failed), "==", 0, ""),
    ]
