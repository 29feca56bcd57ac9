"""What the triggerer runs.

The class paths ``airflow_readiness_triggers.processor.ProcessorTrigger``,
``airflow_readiness_triggers.collector.CollectorTrigger``,
``airflow_readiness_triggers.alarms.AlarmTrigger`` and
``airflow_readiness_triggers.ready.ReadyTrigger`` are stored in Airflow's database with every
deferred task: they, and the names of their arguments, do not change.
"""
