"""What the README and docs/ tell people to type: commands are understood, SQL runs, Python is Python."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from airflow.cli.cli_parser import get_parser

from airflow_readiness.operating.settings_file import read_settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: What stands there for a value of the reader's own.
PLACEHOLDERS = {"YYYY-MM-DD": "2026-11-22"}
#: A fm table of the reader's own, as the README registers one.
THEIRS = "create schema etl; create table etl.load_log (db_name text, tab_name text, finished_at timestamptz)"


def blocks(language: str) -> list[tuple[str, str]]:
    """All code blocks of a language: where, and what."""
    return [
        (f"{page.name}-{number}", text)
        for page in PAGES
        for number, text in enumerate(
            re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
        )
    ]


def commands() -> list[str]:
    """Every ``airflow readiness`` with what it is told to do, in a block or within a line."""
    text = "\n".join(page.read_text() for page in PAGES)
    found = re.findall(r"^ *(airflow readiness [^\n#]+)|`(airflow readiness [^`]+)`", text, re.MULTILINE)
    whole = {" ".join((block or line).split()) for block, line in found}
    return sorted(each for each in whole if not each.endswith("…"))


@pytest.mark.parametrize("command", commands())
def test_a_command_is_one(command: str) -> None:
    words = shlex.split(command)[1:]
    arguments = get_parser().parse_args([PLACEHOLDERS.get(word, word) for word in words])
    assert callable(arguments.func)


async def test_the_sql_runs_as_it_stands_there(dsn: dict[str, Any]) -> None:
    scripts = blocks("sql")
    assert scripts
    for _, script in scripts:
        connection = await asyncpg.connect(**dsn)
        try:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(THEIRS)
            await connection.execute(script)
            await transaction.rollback()
        finally:
            await connection.close()


@pytest.mark.parametrize(("where", "text"), blocks("yaml"))
def test_settings_in_a_file_are_settings(where: str, text: str) -> None:
    assert read_settings(text, where).sources


@pytest.mark.parametrize(("where", "text"), blocks("python"))
def test_python_is_python(where: str, text: str) -> None:
    indented = re.match(r" *", text)
    assert indented
    lines = (line.removeprefix(indented[0]) for line in text.splitlines())
    compile("\n".join(lines), where, "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_into_the_repository_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert not [target for target in targets if not (page.parent / target).exists()]
