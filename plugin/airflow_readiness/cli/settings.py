"""``airflow readiness settings …``: what holds for the sources, one by one or by a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, Arg, GroupCommand

from airflow_readiness.cli.common import CONN_ID, JSON, SOURCE, answer

if TYPE_CHECKING:
    from argparse import Namespace

    from airflow_readiness.operating.settings_answers import Changed
    from airflow_readiness.operating.show import Answer
    from airflow_readiness.store.store import Store

_FILE = Arg(("file",), help="settings.yaml; '-' reads the standard input")
_SHARED = (CONN_ID, JSON, ARG_VERBOSE)
_CODES = (
    "Exit code: 0 done; 1 refused, nothing was changed; 2 it cannot be done. It needs the releaser's rights."
)


def command() -> GroupCommand:
    """The group."""
    return GroupCommand(
        name="settings",
        help="What holds for the sources: deadlines, calendars, what happens without them",
        subcommands=[
            ActionCommand("show", "What is in force", run_show, (_one(), *_SHARED)),
            ActionCommand("history", "All versions of one source's settings", run_history, (SOURCE, *_SHARED)),
            ActionCommand("set", "Change what is given of one source", run_set, (*_fields(), *_SHARED), _CODES),
            ActionCommand(
                "diff",
                "What applying a file would change",
                run_diff,
                (_FILE, *_SHARED),
                "Exit code: 0 nothing; 1 something; 2 it cannot be told.",
            ),
            ActionCommand(
                "apply",
                "Apply a file: all of it, or nothing",
                run_apply,
                (
                    _FILE,
                    Arg(
                        ("--dry-run",), action="store_true", help="print what would change, and change nothing"
                    ),
                    *_SHARED,
                ),
                _CODES,
            ),
        ],
    )


def _one() -> Arg:
    return Arg(("source",), nargs="?", help="database.table (default: all)")


def _fields() -> tuple[Arg, ...]:
    return (
        SOURCE,
        Arg(("--deadline",), help="HH:MM, when flows start without it"),
        Arg(("--read-from",), help="HH:MM, from when on its logs are read; '' is midnight"),
        Arg(("--log-count",), type=int, help="log rows that make it ready"),
        Arg(("--on-late",), choices=("ignore", "rerun"), help="once it is ready that was missed"),
        Arg(("--on-deadline",), choices=("run", "skip", "fail"), help="a launch that would go without it"),
        Arg(("--calendar",), help="when it is due: mon-fri, 2026-12-26, or daily"),
        Arg(("--owner",), help="whom to ask; '' is nobody"),
        Arg(("--description",), help="what it is"),
    )


def run_show(args: Namespace) -> None:
    """The settings in force."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.operating.settings_answers import show_settings

        return await show_settings(store, args.source)

    answer(args, work)


def run_history(args: Namespace) -> None:
    """What was in force."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.operating.settings_answers import history

        return await history(store, args.source)

    answer(args, work)


def run_set(args: Namespace) -> None:
    """Change one source."""

    async def work(store: Store) -> Answer:
        from airflow_readiness.operating.settings_answers import set_settings

        return await set_settings(store, args.source, _given(args))

    answer(args, work)


def _given(args: Namespace) -> dict[str, str | None]:
    """What was given, as a file would write it.

    :raises BadInput: if it cannot be
    """
    from airflow_readiness.core.dates import parse_clock
    from airflow_readiness.core.settings import calendar_text, parse_calendar
    from airflow_readiness.errors import BadInput

    if args.deadline is not None:
        parse_clock(args.deadline)
    if args.read_from:
        parse_clock(args.read_from)
    if args.log_count is not None and not 1 <= args.log_count < 2**31:
        raise BadInput(
            f"--log-count {args.log_count} is not a number of log rows: give a whole number from 1 on"
        )
    names = ("deadline", "read_from", "on_late", "on_deadline", "owner", "description")
    return {name: getattr(args, name) for name in names} | {
        "log_count": None if args.log_count is None else str(args.log_count),
        "calendar": None if args.calendar is None else calendar_text(parse_calendar(args.calendar)),
    }


def run_diff(args: Namespace) -> None:
    """Compare a file with what is in force."""

    async def work(store: Store) -> Answer:
        found = await _apply(store, args, dry_run=True)
        return type(found)(found.changes, done=False, exit_code=1 if found.changes else 0)

    answer(args, work)


def run_apply(args: Namespace) -> None:
    """Apply a file."""

    async def work(store: Store) -> Answer:
        return await _apply(store, args, dry_run=args.dry_run)

    answer(args, work)


async def _apply(store: Store, args: Any, *, dry_run: bool) -> Changed:
    import asyncio

    from airflow_readiness.operating.settings_answers import Changed
    from airflow_readiness.operating.settings_changes import apply
    from airflow_readiness.operating.settings_file import read_file

    wanted = await asyncio.to_thread(read_file, args.file)
    return Changed(await apply(store, wanted, dry_run=dry_run), done=not dry_run)
