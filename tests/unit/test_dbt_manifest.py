"""Reading dbt's manifest: what is in it, half of it, none of it."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from airflow_readiness.dbt_project.manifest import load
from airflow_readiness.errors import BadInput, BadManifest
from tests.dbt_manifest import big, manifest, node, source, write

SMALL = manifest(source("orders"), node("sales_mart", "source.shop.raw.orders"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "manifest.json", SMALL)


def _version(text: str | None) -> dict[str, Any]:
    return {**SMALL, "metadata": {"dbt_schema_version": text, "dbt_version": "2.7.0"}}


@pytest.mark.parametrize("version", [9, 10, 11, 12])
def test_every_version_that_was_tried_is_read(tmp_path: Path, version: int) -> None:
    text = f"https://schemas.getdbt.com/dbt/manifest/v{version}.json"
    found = load(write(tmp_path / "manifest.json", _version(text)))
    assert list(found.sources) == ["source.shop.raw.orders"]
    assert tuple(found.parents("model.shop.sales_mart")) == ("source.shop.raw.orders",)
    assert found.children["source.shop.raw.orders"] == ["model.shop.sales_mart"]


@pytest.mark.parametrize("version", [8, 13, 20])
def test_an_unknown_version_is_refused_by_its_number(tmp_path: Path, version: int) -> None:
    text = f"https://schemas.getdbt.com/dbt/manifest/v{version}.json"
    with pytest.raises(BadManifest, match=rf"is of version v{version}, by dbt 2\.7\.0: v9 to v12 can be read"):
        load(write(tmp_path / "manifest.json", _version(text)))


def test_an_unknown_version_is_told_even_if_nothing_in_it_is_as_it_was(tmp_path: Path) -> None:
    document = {
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v99.json"},
        "nodes": 3,
    }
    with pytest.raises(BadManifest, match="is of version v99: v9 to v12"):
        load(write(tmp_path / "manifest.json", document))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"metadata": {}},
        _version(None),
        _version("https://schemas.getdbt.com/dbt/run-results/v6.json"),
    ],
)
def test_another_file_is_no_manifest(tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(BadManifest, match="is no dbt manifest .*give the file that 'dbt parse' writes"):
        load(write(tmp_path / "manifest.json", document))


def test_a_manifest_that_is_bent_is_told_where(tmp_path: Path) -> None:
    document = {**SMALL, "sources": {"source.shop.raw.orders": {"name": 7}}}
    with pytest.raises(BadManifest, match=r"not as dbt writes it: .*sources\[\.\.\.\]"):
        load(write(tmp_path / "manifest.json", document))


def test_a_missing_manifest_is_told_with_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        BadManifest, match=r"'.*/nowhere/manifest.json' cannot be read .*run 'dbt parse' in the dbt project"
    ):
        load(tmp_path / "nowhere" / "manifest.json", patience=5)


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match="is a folder: give the file"):
        load(tmp_path)


def test_all_of_these_are_bad_input() -> None:
    assert issubclass(BadManifest, BadInput)


@pytest.mark.parametrize("cut", [0, 1, 0.3, 0.999])
def test_half_a_manifest_is_waited_for(path: Path, cut: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * cut) if cut < 1 else 1])
    pauses: list[float] = []

    def finish(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            path.write_bytes(whole)

    assert list(load(path, patience=60, pause=finish).sources) == ["source.shop.raw.orders"]
    assert len(pauses) == 3


def test_half_a_manifest_is_told_once_patience_ends(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadManifest, match="is no complete JSON .*truncated.*Run 'dbt parse' again"):
        load(path, patience=0.2)


def test_half_a_manifest_of_long_ago_is_not_waited_for(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    os.utime(path, (1, 1))

    def never(_: float) -> None:
        raise AssertionError("it waited")

    with pytest.raises(BadManifest, match="is no complete JSON"):
        load(path, patience=60, pause=never)


def test_a_character_cut_in_two_is_half_a_manifest(path: Path) -> None:
    text = json.dumps(SMALL | {"nodes": {"model.shop.ü": node("ü")}}, ensure_ascii=False).encode()
    path.write_bytes(text[: text.index("ü".encode()) + 1])
    with pytest.raises(BadManifest, match="is no complete JSON"):
        load(path)


def test_a_reader_beside_a_writer_sees_the_whole_or_waits(tmp_path: Path) -> None:
    """dbt opens the file, which empties it, and writes a bit at a time."""
    path = write(tmp_path / "manifest.json", big(20))
    text = path.read_text()
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.wait(0.05):
            with path.open("w") as file:
                for start in range(0, len(text), 1 << 14):
                    file.write(text[start : start + (1 << 14)])

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(10):
            assert len(load(path, patience=60).sources) == 1
    finally:
        stop.set()
        writer.join()


def test_a_file_is_read_once_until_it_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(path)
    assert load(path) is first
    write(path, manifest(source("orders"), source("customers")))
    os.utime(path, ns=(1, 1))
    again = load(path)
    assert len(again.sources) == 2
    monkeypatch.setattr(msgspec.json, "decode", None)
    assert load(path) is again


def test_two_thousand_models_are_cheap(tmp_path: Path) -> None:
    """The bench measures; this only says that no part of it grows faster than the manifest."""
    found = load(write(tmp_path / "manifest.json", big(2000, size=0)))
    assert (len(found.nodes), len(found.sources)) == (6000, 100)
