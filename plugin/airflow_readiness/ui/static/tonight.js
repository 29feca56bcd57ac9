// The page in Airflow's navigation: what waits, for what, until when, and is that unusual.
import { Box, Button, Flex, Heading, h, useEffect, useMemo, useState } from "./airflow.js";
import { useAnnounced } from "./announce.js";
import { pathOf } from "./api.js";
import { DateChoice, useDate } from "./dates.js";
import { Empty } from "./empty.js";
import { Filters, flowPasses, sourcePasses, useFilters } from "./filters.js";
import { FlowRow } from "./flow_row.js";
import { Health } from "./health.js";
import { Card, Freshness, Muted, NoData, Page, Panel } from "./parts.js";
import { usePolled } from "./polling.js";
import { SourceRows } from "./source_row.js";
import { shownState } from "./states.js";
import { Legend } from "./strip.js";
import { clock, longDate, useClock } from "./time.js";

/** Rows that are drawn before somebody asks for more: thousands would make the page slow. */
const AT_FIRST = 60;

export function Tonight() {
  const [chosen, setDate] = useDate();
  const looked = usePolled(chosen ? pathOf(["dates", chosen]) : "today");
  const { data } = looked;
  const filters = useFilters();
  useEffect(() => {
    document.title = "Readiness";
  }, []);
  useAnnounced(
    useMemo(
      () => data && Object.fromEntries(data.flows.map((flow) => [flow.dag_id, shownState(flow)])),
      [data],
    ),
  );

  if (!data) return h(Page, null, h(Heading, { as: "h1", size: "xl" }, "Readiness"), h(NoData, looked));
  const zone = data.timezone;
  const flows = data.flows.filter((flow) => flowPasses(flow, filters));
  const wanted = new Set(flows.flatMap((flow) => flow.sources));
  const sources = data.sources.filter((source) => sourcePasses(source, filters, wanted));
  return h(
    Page,
    { opacity: looked.loading ? 0.6 : 1, "aria-busy": looked.loading },
    h(
      Flex,
      { justify: "space-between", align: "center", gap: 3, wrap: "wrap" },
      h(
        Box,
        null,
        h(Heading, { as: "h1", size: "xl" }, chosen ? "Readiness" : "Tonight"),
        h(Muted, null, longDate(data.business_date), " · ", h(Now, { zone })),
      ),
      h(DateChoice, { date: data.business_date, chosen, setDate }),
    ),
    h(Freshness, { looked, zone }),
    h(Health, { health: data.health, zone }),
    data.flows.length === 0
      ? h(Empty, { hidden: data.hidden })
      : h(
          Panel,
          { title: "Flows", aside: h(Muted, null, "least slack first") },
          h(Filters, { flows: data.flows, filters }),
          h(Rows, {
            all: flows,
            draw: (flow) => h(FlowRow, { key: flow.dag_id, flow, zone, date: chosen }),
            filters,
          }),
          data.hidden > 0 &&
            h(
              Muted,
              { display: "block", mt: 2 },
              `${data.hidden} more flows are beyond the limit of this page; “airflow readiness status” shows them all.`,
            ),
        ),
    sources.length > 0 &&
      h(
        Panel,
        { title: "Sources", aside: h(Legend) },
        h(More, { all: sources, children: (shown) => h(SourceRows, { sources: shown, zone }) }),
        data.hidden_sources > 0 &&
          h(
            Muted,
            { display: "block", mt: 2 },
            `${data.hidden_sources} more sources are beyond the limit of this page.`,
          ),
      ),
  );
}

const Now = ({ zone }) => useClock((now) => `${clock(new Date(now).toISOString(), zone)} ${zone}`);

function Rows({ all, draw, filters }) {
  if (!all.length) {
    return h(
      Card,
      { p: 5, display: "flex", gap: 3, alignItems: "center", flexWrap: "wrap" },
      h(Muted, null, "No flow is like that."),
      h(Button, { size: "xs", variant: "outline", onClick: filters.clear }, "Clear the filters"),
    );
  }
  return h(More, { all, children: (shown) => h(Card, { as: "ul", listStyleType: "none" }, shown.map(draw)) });
}

function More({ all, children }) {
  const [everything, setEverything] = useState(false);
  const shown = everything ? all : all.slice(0, AT_FIRST);
  return h(
    Box,
    null,
    children(shown),
    shown.length < all.length &&
      h(
        Button,
        { size: "sm", variant: "outline", mt: 3, onClick: () => setEverything(true) },
        `Show all ${all.length}`,
      ),
  );
}
