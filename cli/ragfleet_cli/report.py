"""What an ingestion did, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ragfleet_cli.errors import CliError
from ragfleet_cli.upload import Outcome

INTERRUPTED = 130


@dataclass(slots=True)
class Report:
    """The outcomes so far. ``total`` files were found; ``stopped`` is the error that ended it early."""

    total: int
    indexed: int = 0
    unchanged: int = 0
    failures: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False
    stopped: CliError | None = None

    def record(self, outcome: Outcome) -> None:
        """Count an outcome."""
        if outcome.status == "indexed":
            self.indexed += 1
        elif outcome.status == "unchanged":
            self.unchanged += 1
        else:
            self.failures.append(outcome)

    @property
    def done(self) -> int:
        """Files with an outcome."""
        return self.indexed + self.unchanged + len(self.failures)

    @property
    def rate(self) -> float:
        """Documents a second."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def exit_code(self) -> int:
        """0, 1 where a file failed, 130 where it was interrupted."""
        if self.interrupted:
            return INTERRUPTED
        return 1 if self.failures else 0

    def summary(self) -> str:
        """One line."""
        counts = f"{self.indexed} indexed, {self.unchanged} unchanged, {len(self.failures)} failed"
        unsent = self.total - self.done
        rest = f", {unsent} not confirmed" if unsent else ""
        return f"{counts}{rest} in {self.seconds:.1f} s ({self.rate:,.0f} documents/s)"

    def to_json(self) -> dict[str, Any]:
        """The same for scripts."""
        return {
            "indexed": self.indexed,
            "unchanged": self.unchanged,
            "failed": len(self.failures),
            "not_confirmed": self.total - self.done,
            "seconds": round(self.seconds, 3),
            "documents_per_second": round(self.rate, 1),
            "interrupted": self.interrupted,
            "failures": [
                {"id": failure.id, "path": failure.path, "error": failure.error} for failure in self.failures
            ],
        }
