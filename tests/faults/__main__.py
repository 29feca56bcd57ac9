"""A randomised campaign against the launch contract: ``make faults SEED=1 MINUTES=10``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.faults import history as histories
from tests.faults import report
from tests.faults.breakages import BREAKAGES, OURS
from tests.faults.campaign import Campaign, Fault, Record
from tests.faults.history import History
from tests.faults.site import Site, site, wait_until_listening

HERE = Path(__file__).parent
console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


def main() -> int:
    """Play one campaign for each seed; 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="make faults")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--minutes", type=float, default=10, help="of each campaign")
    parser.add_argument("--only", nargs="*", default=list(BREAKAGES), choices=list(BREAKAGES), metavar="KIND")
    parser.add_argument("--native", action="store_true", help="the same by a deferrable task for each source")
    parser.add_argument("--markdown", action="store_true", help="print the table as the README has it")
    arguments = parser.parse_args()
    faults: list[Fault] = []
    verdicts: list[report.Verdict] = []
    failed = False
    for seed in arguments.seed:
        history = histories.make(seed, arguments.minutes, arguments.only)
        if arguments.native:
            history.actions = [action for action in history.actions if action.subject not in OURS]
        record, judged = _campaign(history, arguments.native)
        failed = _complain(history, record, judged) or failed
        faults += record.faults
        verdicts += judged
    console.print(report.table(faults, verdicts))
    if arguments.markdown:
        console.print(report.markdown(faults, verdicts), soft_wrap=True)
    return 1 if failed else 0


def _campaign(history: History, native: bool) -> tuple[Record, list[report.Verdict]]:
    folder = Path(tempfile.mkdtemp(prefix="readiness-faults-"))
    record, verdicts = _play(history, folder, native)
    if record.unwell or any(verdict.complaint for verdict in verdicts):
        console.print(f"Airflow's logs are kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return record, verdicts


def _play(history: History, folder: Path, native: bool) -> tuple[Record, list[report.Verdict]]:
    began = time.monotonic()

    def say(what: str) -> None:
        console.print(f"  {time.monotonic() - began:6.1f} s  {what}")

    (folder / "flows.json").write_text(histories.to_json(history))
    dags = shutil.copytree(HERE / ("dags_native" if native else "dags"), folder / "dags")
    extra = {
        "FAULTS_FOLDER": str(folder),
        "PYTHONPATH": str(HERE.parents[1]),
        # by default Airflow takes five minutes each to see that a scheduler, or a worker's host, is gone
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    }
    console.print(f"seed {history.seed}, {history.minutes:g} minutes, {len(history.flows)} flows")
    with site(folder, dags, say=say, extra=extra) as running:
        wait_until_listening(running, len(history.flows), native)
        campaign = Campaign(history, running, say, native)
        campaign.prepare()
        say("the campaign begins")
        record = campaign.play()
        say("the last launches")
        campaign.wait(set(report.expected(history, record)))
        record.unwell = [] if native else running.unwell()
        runs = _runs(running)
    return record, report.judge(history, record, runs)


def _runs(running: Site) -> list[tuple[str, int, float]]:
    days = {running.day(number).isoformat(): number for number in range(histories.DATES)}
    return [(flow, days[key], at) for flow, key, at in running.airflow_runs() if key in days]


def _complain(history: History, record: Record, verdicts: list[report.Verdict]) -> bool:
    broken = [verdict for verdict in verdicts if verdict.complaint]
    for verdict in broken[:5]:
        _tell(history, record, verdict)
    for complaint in record.unwell:
        console.print(f"[red]at the end:[/red] {complaint}")
    if broken:
        again = f"make faults SEED={history.seed} MINUTES={history.minutes:g}"
        console.print(f"{len(broken)} promises were broken; again: {again}")
    return bool(broken or record.unwell)


def _tell(history: History, record: Record, verdict: report.Verdict) -> None:
    """What a launch should have been, what it was, and what was done until then; seconds from the start."""
    due, *runs = (f"{at - record.began:.1f} s" for at in (verdict.due, *verdict.runs))
    console.print(f"\n[red]{verdict.flow} for day {verdict.day}: {verdict.complaint}[/red] ({verdict.kind})")
    console.print(f"  waits for {json.dumps(history.flows[verdict.flow])}")
    console.print(f"  fell due at {due}, started at {', '.join(runs) or 'no time'}")
    for action in history.of(verdict.flow, verdict.day, max([verdict.due, *verdict.runs]) - record.began):
        console.print(f"  {action}")


if __name__ == "__main__":
    sys.exit(main())
