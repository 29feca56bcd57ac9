"""``make demo``: starts everything, plays the scenario, shows the timeline."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from airflow_readiness.core.names import BOARD_ROUTE
from airflow_readiness.demo.scenario import FLOWS, Play, Step, noon_timezone
from airflow_readiness.demo.stack import Stack, stack

console = Console(highlight=False)


def main() -> int:
    """Play; 0 if everything was as promised."""
    parser = argparse.ArgumentParser(prog="python -m airflow_readiness.demo")
    parser.add_argument("--dags", type=Path, default=Path("dags"), help="the folder with the example DAGs")
    parser.add_argument("--state", type=Path, default=Path(".demo"), help="where everything is kept")
    arguments = parser.parse_args()
    # a closed terminal, or a kill, is an end like Ctrl-C: nothing stays behind
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _demo(arguments.dags, arguments.state)
    except KeyboardInterrupt:
        console.print("\nstopped; nothing is left running")
        return 130 if os.environ.get("DEMO_EXIT") else 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _demo(dags: Path, state: Path) -> int:
    zone = noon_timezone(dt.datetime.now(dt.timezone.utc))
    plays: list[Play] = []
    # it is noon there: what is tried out here has time until the evening
    extra = {
        "AIRFLOW__READINESS__TIMEZONE": zone,
        "AIRFLOW__READINESS__DEFAULT_DEADLINE": "23:30",
        # as the README advises
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    }

    def prepare(running: Stack) -> None:
        running.script((dags / "sql" / "create_tables.sql").read_text())
        plays.append(Play(running, zone))
        plays[0].prepare()

    began = time.monotonic()
    console.print("[bold]airflow-readiness[/bold]: starting real servers (Ctrl-C ends everything)\n")
    with console.status("") as status:

        def say(what: str) -> None:
            console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim]  {what}")
            status.update(f"starting {what} …")

        with stack(state, dags, say=say, prepare=prepare, extra=extra) as running:
            play = plays[0]
            say("processor and collector")
            play.wait_until_listening()
            say("everything is waiting, without a worker")
            status.stop()
            board = f"{running.url}/plugin/{BOARD_ROUTE}"
            console.print(f"\nWatch it on the board: [bold]{board}[/bold]")
            complaints = _play(play, status)
            if os.environ.get("DEMO_EXIT"):
                return _verdict(complaints)
            _verdict(complaints)
            console.print(f"\nThe board: [bold]{board}[/bold]  (what waits, and why; Ctrl-C to stop)")
            while not running.airflow.dead():
                time.sleep(0.5)
            console.print(f"ended: {', '.join(running.airflow.dead())}; see {state / 'logs'}")
            return 1


def _play(play: Play, status: Any) -> list[str]:
    console.print(f"\n[bold]Business date {play.day}[/bold]  (time zone {play.zone})\n")
    for flow, sources in FLOWS.items():
        console.print(f"  {flow:16} waits for {' and '.join(sources)}")
    deadline = play.set_deadline()
    console.print(f"  hive.fx_rates will never log; its deadline is {deadline:%H:%M:%S} UTC\n")

    play.deliver("sales")
    console.print("  hive.sales has logged; sales_by_region waits on, for hive.stores …")
    time.sleep(3)
    logged = play.deliver("stores")
    console.print("  hive.stores has logged:\n")
    _timeline(
        play, logged, [Step(logged, "hive.stores", "log row committed by a plain INSERT")], "store_directory"
    )
    _timeline(play, logged, [], "sales_by_region")

    status.update(f"waiting for the deadline of hive.fx_rates at {deadline:%H:%M:%S} UTC …")
    status.start()
    left = (deadline - dt.datetime.now(dt.timezone.utc)).total_seconds()
    play.wait_for("currency_report", left + 60)
    status.stop()
    console.print("\n  hive.fx_rates has not logged, and its deadline has come:\n")
    _timeline(play, deadline, [Step(deadline, "hive.fx_rates", "deadline")], "currency_report")
    return play.check()


def _timeline(play: Play, zero: dt.datetime, first: list[Step], flow: str) -> None:
    for step in first + play.steps(flow):
        # the commit is heard by others before the answer is back here
        seconds = max((step.at - zero).total_seconds(), 0)
        style = "bold green" if step.subject == flow else ""
        console.print(f"    {seconds:+6.2f} s  {step.subject:26} {step.what}", style=style)


def _verdict(complaints: list[str]) -> int:
    console.print()
    for complaint in complaints:
        console.print(f"[red]not as promised:[/red] {complaint}")
    if not complaints:
        console.print(
            "[green]✓[/green] each flow ran once, for its date; every task succeeded (Airflow's own records)"
        )
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
