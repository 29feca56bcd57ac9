"""The third DAG of readiness: only where somebody is to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk import DAG, BaseNotifier
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from airflow.serialization.serialized_objects import DagSerialization

from airflow_readiness import readiness_dags
from airflow_readiness.alarms import named
from airflow_readiness.errors import BadInput
from airflow_readiness_triggers.alarms import AlarmTrigger


class Mail(BaseNotifier):
    """Sends nothing."""

    def notify(self, context: Any) -> None: ...


def call(context: Mapping[str, Any]) -> None: ...


@pytest.fixture
def dag() -> DAG:
    *_, alarms = readiness_dags(on_missed=[Mail(), call, Mail()], at_risk=Mail(), tags=["ops"])
    return alarms


def test_it_is_there_only_if_it_is_wanted(dag: DAG) -> None:
    assert dag.dag_id == "readiness_alarms"
    assert dag.tags == {"ops"}
    assert dag.max_active_runs == 1
    assert dag.max_consecutive_failed_dag_runs == 0
    assert [each.dag_id for each in readiness_dags()] == ["readiness_processor", "readiness_collector"]


def test_its_task_waits_in_the_triggerer_for_what_its_notifiers_tell(dag: DAG) -> None:
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    (task,) = stored.tasks
    assert task.start_from_trigger is True
    arguments = task.start_trigger_args
    assert arguments is not None
    assert arguments.next_method == "tell"
    # the way from the DAG to the triggerer
    row = Trigger(classpath=arguments.trigger_cls, kwargs=arguments.trigger_kwargs or {})
    sent = Trigger._decrypt_kwargs(row.encrypted_kwargs)
    decode: Callable[[Any], Any] = smart_decode_trigger_kwargs
    trigger = AlarmTrigger(**{name: decode(value) for name, value in sent.items()})
    assert trigger.notifiers == {"missed": ["Mail", "call", "Mail 2"], "at_risk": ["Mail"]}
    assert trigger.rotate == 3240
    path, arguments_again = trigger.serialize()
    assert path == arguments.trigger_cls
    assert set(arguments_again) == {"notifiers", "rotate"}


def test_a_notifier_keeps_its_name_when_others_come_or_go() -> None:
    one, two = Mail(), Mail()
    assert named([one, call, two], "on_late") == {"Mail": one, "call": call, "Mail 2": two}
    assert named(call, "on_late") == {"call": call}
    assert named((), "on_late") == {}


@pytest.mark.parametrize("argument", ["on_missed", "on_late", "at_risk"])
def test_what_is_no_notifier_is_refused(argument: str) -> None:
    with pytest.raises(BadInput, match=f"{argument} got 'ops@example.org': give it notifiers"):
        readiness_dags(**{argument: ["ops@example.org"]})  # type: ignore[arg-type]
