-- The least rights of each role. Names in braces are replaced; run as the owner of the schema.

-- {writer} reports logs; who reported is not for it to say
grant usage on schema readiness to {writer};
grant insert (source_database, source_table, business_date, logged_at, load_id, row_count)
    on readiness.fm_log to {writer};
grant select (load_id) on readiness.fm_log to {writer};

-- {releaser} sets settings at release; who set them is not for it to say
grant usage on schema readiness to {releaser};
grant select on readiness.log_setting to {releaser};
grant insert (source_database, source_table, deadline, read_from, log_count, valid_from)
    on readiness.log_setting to {releaser};
grant update (valid_to) on readiness.log_setting to {releaser};
grant select on readiness.source_option to {releaser};
grant insert (source_database, source_table, on_late, on_deadline, calendar, owner, description, valid_from)
    on readiness.source_option to {releaser};
grant update (valid_to) on readiness.source_option to {releaser};
grant select on readiness.migration, readiness.deployment to {releaser};

-- {operator} looks, marks sources as ready, skips them and moves their deadlines; all of it is kept
grant usage on schema readiness to {operator};
grant select on all tables in schema readiness to {operator};
grant execute on function readiness.mark_ready, readiness.skip, readiness.extend to {operator};

-- {feeder} brings logs out of outside databases, and loads the settings that were released in Greenplum
grant usage on schema readiness to {feeder};
grant select on all tables in schema readiness to {feeder};
grant insert (source_database, source_table, business_date, logged_at, load_id, row_count, ingested_from)
    on readiness.fm_log to {feeder};
grant insert, update on readiness.ingest_state to {feeder};
grant insert on readiness.greenplum_release to {feeder};
grant insert (source_database, source_table, deadline, read_from, log_count, valid_from)
    on readiness.log_setting to {feeder};
grant update (valid_to) on readiness.log_setting to {feeder};

-- {reader} looks
grant usage on schema readiness to {reader};
grant select on all tables in schema readiness to {reader};

-- {engine} is the login of the Airflow connection
grant usage on schema readiness to {engine};
grant select on all tables in schema readiness to {engine};
grant update (timezone, default_deadline, storm) on readiness.deployment to {engine};
grant insert, update on readiness.heartbeat, readiness.flow, readiness.launch, readiness.launch_run,
    readiness.processed_log, readiness.launch_plan, readiness.rerun, readiness.rerun_run,
    readiness.alarm to {engine};
grant delete on readiness.launch_plan to {engine};
-- it also does what is asked for on Airflow's command line
grant insert (action, done_by, reason, source, dag_id, business_date, detail) on readiness.audit to {engine};
grant execute on function readiness.mark_ready, readiness.skip, readiness.extend, readiness.prune to {engine};
