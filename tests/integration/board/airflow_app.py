"""Airflow's real API server, in this process: its app, its metadata in Postgres, and users of every role."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from airflow.api_fastapi.auth.managers.models.resource_details import AssetDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi import FastAPI

from airflow_readiness.demo.servers import Postgres

#: Sees everything but the flow ``secret_flow`` and assets; changes nothing.
NORA: Final = "nora"
ROLES: Final = {"vera": "viewer", "uma": "user", "anna": "admin", NORA: "viewer"}

DAGS: Final = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow_readiness import ready, source

FLOWS = {
    "sales_report": source("hive.sales") & source("hive.stores"),
    "rates_report": source("hive.rates"),
    "secret_flow": source("hive.secret") & source("hive.sales"),
}
for name, condition in FLOWS.items():
    with DAG(name, schedule=ready(condition)):
        EmptyOperator(task_id="start")
with DAG("plain", schedule=None):
    EmptyOperator(task_id="start")
"""


class Hiding(SimpleAuthManager):
    """The simple auth manager, that hides one DAG and all assets from one user."""

    def is_authorized_dag(
        self,
        *,
        method: Any,
        user: SimpleAuthManagerUser,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        if user.username == NORA and details and details.id == "secret_flow":
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)

    def is_authorized_asset(
        self, *, method: Any, user: SimpleAuthManagerUser, details: AssetDetails | None = None
    ) -> bool:
        if user.username == NORA:
            return False
        return super().is_authorized_asset(method=method, user=user, details=details)


def place(server: Postgres, database: str) -> dict[str, str]:
    """The environment that says where Airflow's metadata are."""
    return {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.uri(database, "postgresql+psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": server.uri(database, "postgresql+asyncpg"),
    }


def options(folder: Path) -> dict[str, str]:
    """The rest of the environment of that Airflow."""
    users = ",".join(f"{name}:{role}" for name, role in ROLES.items())
    named = {
        "CORE__AUTH_MANAGER": f"{__name__}.{Hiding.__name__}",
        "CORE__DAGS_FOLDER": str(folder / "dags"),
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": users,
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "API__SECRET_KEY": secrets.token_hex(32),
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
    }
    return {f"AIRFLOW__{name}": value for name, value in named.items()}


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def metadata(server: Postgres, database: str) -> Iterator[None]:
    """Airflow's tables, in a database that is there; Airflow uses it until the end."""
    from airflow import settings
    from airflow.utils.db import initdb

    with environment(place(server, database)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _reconnect()
        initdb()
        try:
            yield
        finally:
            settings.dispose_orm(do_log=False)
    _reconnect()


def _reconnect() -> None:
    from airflow import settings

    settings.dispose_orm(do_log=False)
    settings.configure_vars()
    settings.configure_orm()


def read_dags(folder: Path) -> None:
    """Write the DAGs into Airflow's database, as ``airflow dags reserialize`` does."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    (folder / "dags").mkdir()
    (folder / "dags" / "flows.py").write_text(DAGS)
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    (bundle,) = manager.get_all_dag_bundles()
    bundle.initialize()
    bag = BundleDagBag(bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    assert not bag.import_errors
    sync_bag_to_db(bag, bundle.name, bundle_version=None)


@contextmanager
def application() -> Iterator[FastAPI]:
    """Airflow's app, its plugins in it."""
    from airflow.api_fastapi.app import create_app, purge_cached_app

    purge_cached_app()
    try:
        yield create_app(apps="core")
    finally:
        purge_cached_app()


def token(name: str) -> str:
    """What a user has after the login."""
    from airflow.api_fastapi.app import get_auth_manager

    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=ROLES[name]))
