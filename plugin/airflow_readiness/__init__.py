"""airflow-readiness: start a data flow the moment its sources are ready, and at its deadline anyway."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_readiness.core.document import Launch
    from airflow_readiness.dag_factory import readiness_dags
    from airflow_readiness.dbt_project.public import dbt, dbt_sources
    from airflow_readiness.expression import at_least, source
    from airflow_readiness.launch_context import launch
    from airflow_readiness.schedule import ready
    from airflow_readiness.sensor import ReadySensor

__version__ = "0.1.0"

__all__ = [
    "Launch",
    "ReadySensor",
    "__version__",
    "at_least",
    "dbt",
    "dbt_sources",
    "launch",
    "readiness_dags",
    "ready",
    "source",
]

# Airflow imports this package to discover the provider, while its configuration is still being
# read: nothing is imported before it is asked for.
_WHERE = {
    "Launch": "airflow_readiness.core.document",
    "ReadySensor": "airflow_readiness.sensor",
    "at_least": "airflow_readiness.expression",
    "dbt": "airflow_readiness.dbt_project.public",
    "dbt_sources": "airflow_readiness.dbt_project.public",
    "launch": "airflow_readiness.launch_context",
    "readiness_dags": "airflow_readiness.dag_factory",
    "ready": "airflow_readiness.schedule",
    "source": "airflow_readiness.expression",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_WHERE[name])
    value = globals()[name] = getattr(module, name)
    return value
