"""`caseledger replay`: how a replay is asked for and what it prints."""

from typing import Final

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from caseledger.errors import CannotReplay
from caseledger.replaying import Report, count, replay_all, replay_one
from caseledger.reporting import as_json, as_table, note, progress
from caseledger.settings import Settings
from caseledger.wiring import open_system
from domain.rulebook import RULEBOOK, Version
from domain.text import shown
from ledger.replay import UnknownVersion

SHOWN: Final = 100
"""Differences that are shown to a person; a program gets all of them."""


def replay_decisions(
    settings: Settings, decision: str | None, rulebook: str | None, upto: int | None, machine: bool
) -> bool:
    """Replays and prints. Says whether every decision came out the same under its own rulebook.

    Under another one differences are what was asked for, and hold nothing against the ledger.
    """
    version = _named(rulebook)
    with open_system(settings) as system:
        try:
            if decision is not None:
                report = replay_one(system.pool, decision, version)
                if report is None:
                    raise CannotReplay(f"There is no decision {shown(decision)}.")
            else:
                total = count(system.pool, upto)
                with progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), machine=machine) as bar:
                    task = bar.add_task("decisions", total=total)
                    report = replay_all(
                        system.pool, settings.schema, version=version, upto=upto,
                        progress=lambda done: bar.advance(task, done),
                    )  # fmt: skip
        except UnknownVersion as unknown:
            raise CannotReplay(f"{str(unknown)[0].upper()}{str(unknown)[1:]}.") from None
    _print(report, version, machine)
    return version is not None or not report.differences


def _named(rulebook: str | None) -> Version | None:
    version = RULEBOOK.named(rulebook) if rulebook else None
    if rulebook and version is None:
        legal = ", ".join(each.version for each in RULEBOOK.versions)
        raise CannotReplay(f"There is no rulebook version {shown(rulebook)}; there are {legal}.")
    return version


def _print(report: Report, version: Version | None, machine: bool) -> None:
    flips = [
        {"gate": gate, "rule": rule, "was": was, "isNow": is_now, "decisions": number}
        for (gate, rule, was, is_now), number in sorted(report.flips.items())
    ]
    if machine:
        as_json(
            {
                "decisions": report.decisions,
                "eventsRead": report.events_read,
                "rulebook": version.version if version else None,
                "differences": msgspec.to_builtins(report.differences),
                "flips": flips,
            }
        )
        return
    under = f"under {version.version}" if version else "under their own rulebook"
    same = report.decisions - len(report.differences)
    note(f"{report.decisions} decisions replayed {under}: {same} came out the same, {len(report.differences)} did not.")
    if flips:
        as_table(("gate", "rule", "was", "is now", "decisions"), [list(each.values()) for each in flips], of="flips")
    if report.differences:
        rows = [
            (each.position, each.gate, each.uscc, each.was, each.is_now, each.rules_were, each.rules_are)
            for each in report.differences[:SHOWN]
        ]
        as_table(("position", "gate", "uscc", "was", "is now", "rules then", "rules now"), rows, of="differences")
        if len(report.differences) > SHOWN:
            note(f"{len(report.differences) - SHOWN} more are left out here; --json gives all.")
