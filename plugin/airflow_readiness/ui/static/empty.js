// No flow yet: the first ten lines.
import { Box, Text, h } from "./airflow.js";
import { CodeBlock, Panel } from "./parts.js";

const FLOW = `from airflow.sdk import DAG, task
from airflow_readiness import ready, readiness_dags, source

processor, collector = readiness_dags(sources=["hive.sales"])

with DAG("sales_by_region", schedule=ready(source("hive.sales"))):

    @task
    def build(): ...

    build()`;

const SETTINGS = `-- due at 06:30; logs count from 20:00 of the evening before; one row is enough
select readiness.set_log_settings('hive', 'sales', 6, 30, 20, 0, 1);
-- it was loaded
select readiness.report_log('hive', 'sales', current_date);`;

/** What makes a DAG a flow. */
export const HowTo = () => h(CodeBlock, { text: FLOW, label: "A flow in ten lines" });

export function Empty({ hidden }) {
  return h(
    Panel,
    { title: "No flow waits here yet", maxW: "46rem", "data-testid": "empty" },
    h(
      Text,
      { mb: 3 },
      "A flow is a DAG that starts as soon as its sources are ready for a business date, and at their deadline anyway. " +
        "Put this into your DAG folder; it appears here some seconds after Airflow has read the file:",
    ),
    h(HowTo),
    h(
      Text,
      { mt: 5, mb: 3 },
      "Then say when the source is due, and that it was loaded. Any client of the log database will do:",
    ),
    h(CodeBlock, { text: SETTINGS, label: "Settings and a log row, in SQL" }),
    hidden > 0 && h(Box, { mt: 4, color: "fg.muted" }, "There are flows that you may not see."),
  );
}
