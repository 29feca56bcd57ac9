"""The two DAGs of readiness; a worker that publishes dies once for each file ``die-…`` in $E2E_FOLDER."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_readiness import dag_factory, readiness_dags
from airflow_readiness.collector import CollectOperator


class MortalCollector(CollectOperator):
    """Killed between publishing and success, when told so."""

    def publish(self, context: Any, event: Mapping[str, Any] | None = None, **how: Any) -> None:
        super().publish(context, event, **how)
        for order in Path(os.environ["E2E_FOLDER"]).glob("die-*"):
            if any(order.name.removeprefix("die-") in asset.name for asset in self.outlets):
                order.unlink()
                os.kill(os.getpid(), signal.SIGKILL)


vars(dag_factory)["CollectOperator"] = MortalCollector
processor, collector = readiness_dags(sources=["e2e.control"])
