"""Who may see and do what. Airflow does not authenticate a plugin's app: every route comes through here.

What a user may not read looks as what there is not. All of it blocks: FastAPI runs it in threads. No
``from __future__ import annotations``: FastAPI reads the annotations of dependencies.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AssetDetails, DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from fastapi import Depends, Header, HTTPException, Request

from airflow_readiness.core.names import split_source
from airflow_readiness.errors import BadName
from airflow_readiness.ui import airflow_side

#: The value of ``X-Requested-With`` in every change: a page of another site cannot send it.
REQUESTED_WITH: Final = "readiness"
_DAG_ID: Final = re.compile(r"[\w.-]{1,250}")


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may see and do in lists; each change is checked anew by its own route."""

    name: str
    #: DAGs that may be read, and those whose runs may be changed
    readable: Collection[str]
    changeable: Collection[str]
    #: sources that no readable flow waits for are seen only by who may read assets
    reads_assets: bool
    changes_assets: bool

    def sees(self, source: str, waited_for: Collection[str]) -> bool:
        """Whether this source may be seen; ``waited_for``: sources of flows that may be read."""
        return self.reads_assets or source in waited_for


def unknown(what: str) -> HTTPException:
    """What there is not, or is not for this user: the same answer."""
    return HTTPException(404, f"there is no such {what}, or you may not see it")


def may_look(user: GetUserDep) -> BaseUser:
    """A user who may read DAGs at all; each route narrows it down."""
    if not get_auth_manager().is_authorized_dag(method="GET", user=user):
        raise HTTPException(403, "you may not read DAGs")
    return user


Looking = Annotated[BaseUser, Depends(may_look)]


def _rights(user: Looking) -> Rights:
    manager = get_auth_manager()
    changeable: set[str] = set()
    if manager.is_authorized_dag(method="PUT", access_entity=DagAccessEntity.RUN, user=user):
        changeable = manager.get_authorized_dag_ids(user=user, method="PUT")
    return Rights(
        user.get_name(),
        frozenset(manager.get_authorized_dag_ids(user=user, method="GET")),
        frozenset(changeable),
        manager.is_authorized_asset(method="GET", user=user),
        manager.is_authorized_asset(method="PUT", user=user),
    )


#: For what is a list.
RightsDep = Annotated[Rights, Depends(_rights)]


def _details(dag_id: str) -> DagDetails:
    return DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))


def readable_dag(dag_id: str, user: Looking) -> str:
    """The DAG of the path; 404 if there is none, or not for this user."""
    if not _DAG_ID.fullmatch(dag_id) or DagModel.get_dagmodel(dag_id) is None:
        raise unknown("DAG")
    if not get_auth_manager().is_authorized_dag(method="GET", details=_details(dag_id), user=user):
        raise unknown("DAG")
    return dag_id


ReadableDag = Annotated[str, Depends(readable_dag)]


def changeable_dag(dag_id: ReadableDag, user: Looking) -> str:
    """The same; 403 unless the user may change its runs."""
    if not may_change_dag(dag_id, user):
        raise HTTPException(403, f"you may not change the runs of {dag_id}")
    return dag_id


def may_change_dag(dag_id: str, user: BaseUser) -> bool:
    """Whether this user may change the runs of a DAG."""
    return get_auth_manager().is_authorized_dag(
        method="PUT", access_entity=DagAccessEntity.RUN, details=_details(dag_id), user=user
    )


@dataclass(frozen=True, slots=True)
class Source:
    """A source that the user may see, and the flows on it, those that may not be read among them."""

    name: str
    theirs: airflow_side.Theirs
    can_act: bool


def readable_source(name: str, rights: RightsDep, user: Looking) -> Source:
    """The source of the path; 404 if its name is none, or it is not for this user."""
    try:
        split_source(name)
    except BadName:
        raise unknown("source") from None
    theirs = airflow_side.flows_of(name)
    if not rights.reads_assets and not set(theirs.flows) & set(rights.readable):
        raise unknown("source")
    return Source(name, theirs, _may_change_asset(name, user))


ReadableSource = Annotated[Source, Depends(readable_source)]


def changeable_source(source: ReadableSource) -> Source:
    """The same; 403 unless the user may change its asset."""
    if not source.can_act:
        raise HTTPException(403, f"you may not change the asset of {source.name}")
    return source


def _may_change_asset(name: str, user: BaseUser) -> bool:
    manager = get_auth_manager()
    ids = airflow_side.asset_ids(name)
    if not ids:
        return manager.is_authorized_asset(method="PUT", user=user)
    return all(
        manager.is_authorized_asset(method="PUT", details=AssetDetails(id=str(each)), user=user) for each in ids
    )


def same_site(request: Request, x_requested_with: Annotated[str | None, Header()] = None) -> None:
    """Refuse what another site has a browser send: the cookie comes along with that."""
    # browsers leave Sec-Fetch-Site out where the page came by plain http
    fetched_from = request.headers.get("sec-fetch-site")
    if fetched_from not in (None, "same-origin") or x_requested_with != REQUESTED_WITH:
        raise HTTPException(403, f"a change needs X-Requested-With: {REQUESTED_WITH}, from the same site")
