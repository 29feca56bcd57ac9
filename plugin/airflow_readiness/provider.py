"""What provider discovery reads. It imports nothing heavy: every ``airflow`` command comes here."""

from __future__ import annotations

from typing import Any

from airflow_readiness.options import OPTIONS, SECTION


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, as Airflow's schema wants it."""
    return {
        "package-name": "airflow-readiness",
        "name": "Readiness",
        "description": "Start a data flow the moment its sources are ready, and at its deadline anyway.",
        "integrations": [
            {
                "integration-name": "Readiness",
                "external-doc-url": "https://pypi.org/project/airflow-readiness/",
                "tags": ["software"],
            }
        ],
        "sensors": [{"integration-name": "Readiness", "python-modules": ["airflow_readiness.sensor"]}],
        "triggers": [{"integration-name": "Readiness", "python-modules": ["airflow_readiness_triggers.ready"]}],
        "cli": ["airflow_readiness.cli.get_cli_commands"],
        "config": {
            SECTION: {
                "description": "airflow-readiness",
                "options": {
                    name: {
                        "description": description,
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": None,
                        "default": default,
                    }
                    for name, (default, description) in OPTIONS.items()
                },
            }
        },
    }
