// One source: today, what is set and who set it, what it logged, when it came, and who waits for it.
import { Box, Flex, Heading, Link, chakra, h, pathFlow, pathTonight, useEffect, useMemo } from "./airflow.js";
import { SourceActions } from "./actions.js";
import { useAnnounced } from "./announce.js";
import { pathOf } from "./api.js";
import { Arrivals } from "./arrivals.js";
import { axisOf } from "./axis.js";
import { Countdown } from "./countdown.js";
import { Card, Facts, Freshness, Mono, Muted, NoData, Page, Panel, Table, When } from "./parts.js";
import { usePolled } from "./polling.js";
import { SettingsPanel } from "./settings.js";
import { StateBadge } from "./states.js";
import { AxisLabels, Legend, Strip, Usual } from "./strip.js";
import { now } from "./time.js";

export function SourcePage({ name }) {
  const looked = usePolled(pathOf(["sources", name]));
  const { data } = looked;
  useEffect(() => {
    document.title = `${name} – Readiness`;
  }, [name]);
  useAnnounced(useMemo(() => data?.today && { [name]: data.today.state }, [data]));
  const zone = data?.timezone;
  return h(
    Page,
    null,
    h(
      chakra.nav,
      { "aria-label": "Breadcrumb", fontSize: "sm", mb: 1 },
      h(Link, { to: pathTonight() }, "Tonight"),
      h(Muted, { mx: 2, "aria-hidden": true }, "/"),
      h(Muted, null, "source"),
    ),
    h(
      Flex,
      { gap: 3, align: "center", wrap: "wrap" },
      h(Heading, { as: "h1", size: "xl", overflowWrap: "anywhere" }, name),
      data?.today && h(StateBadge, { state: data.today.state, fontSize: "sm" }),
    ),
    data
      ? [
          h(Freshness, { key: "fresh", looked, zone }),
          h(Shown, { key: "shown", data, zone, onDone: looked.reload }),
        ]
      : h(NoData, looked),
  );
}

function Shown({ data, zone, onDone }) {
  const { today, last_logs: logs, arrivals, flows, settings, history } = data;
  return h(
    Box,
    null,
    today && h(Today, { today: { can_act: data.can_act, ...today }, zone, onDone }),
    h(
      Panel,
      { title: "Who waits for it", aside: h(Muted, null, "soonest deadline first") },
      flows.length
        ? h(Dependents, { flows, zone, date: today?.business_date })
        : h(Muted, null, "No flow that you may see."),
    ),
    h(Panel, { title: "Arrivals of 90 days", aside: h(PlotLegend) }, h(Arrivals, { arrivals, zone })),
    h(SettingsPanel, { settings, history, zone }),
    h(
      Panel,
      { title: "Last logs" },
      logs.length
        ? h(Table, {
            label: "Last logs",
            head: ["Logged", "Rows", "Load", "From table"],
            rows: logs.map((each) => [
              h(When, { at: each.logged_at, zone, date: "-" }),
              each.row_count?.toLocaleString("en"),
              each.load_id,
              each.fm_table,
            ]),
          })
        : h(Muted, null, "It has never logged."),
    ),
  );
}

function Today({ today, zone, onDone }) {
  const axis = useMemo(() => axisOf([today], now(), zone), [today, zone]);
  const date = today.business_date;
  return h(
    Card,
    { mt: 4, p: 4 },
    h(
      Flex,
      { justify: "space-between", gap: 4, wrap: "wrap", align: "flex-start" },
      h(Facts, {
        flex: "1 1 20rem",
        items: [
          ["Business date", date],
          ["Logs", `${today.log_count ?? 0} of ${today.needed ?? "?"}`],
          ["History", h(Usual, { source: today, zone, fontSize: "sm", color: "fg" })],
          today.ready_at && ["Ready at", h(When, { at: today.ready_at, zone, date })],
          [
            "Deadline",
            h(
              "span",
              null,
              h(When, { at: today.deadline_at, zone, date }),
              !today.ready_at &&
                today.deadline_at && [" · ", h(Countdown, { key: "left", at: today.deadline_at })],
            ),
          ],
        ],
      }),
      h(SourceActions, { source: today, onDone }),
    ),
    axis &&
      h(
        Box,
        { mt: 4 },
        h(Strip, { source: today, axis, zone }),
        h(AxisLabels, { axis }),
        h(Box, { mt: 2 }, h(Legend)),
      ),
  );
}

function Dependents({ flows, zone, date }) {
  return h(
    Card,
    { as: "ul", listStyleType: "none" },
    flows.map(({ dag_id: dagId, condition, deadline_at: deadlineAt, paused }) =>
      h(
        Flex,
        {
          as: "li",
          key: dagId,
          px: 4,
          py: 2,
          gap: 4,
          justify: "space-between",
          align: "baseline",
          wrap: "wrap",
          borderTopWidth: "1px",
          borderColor: "border",
          _first: { borderTopWidth: 0 },
        },
        h(
          Box,
          { minW: 0 },
          h(Link, { to: pathFlow(dagId), fontWeight: "medium" }, dagId),
          paused && h(Muted, null, " (paused)"),
          h(Mono, { display: "block", fontSize: "xs", color: "fg.muted" }, condition),
        ),
        deadlineAt &&
          h(
            Box,
            { fontSize: "sm" },
            "deadline ",
            h(When, { at: deadlineAt, zone, date }),
            " · ",
            h(Countdown, { at: deadlineAt }),
          ),
      ),
    ),
  );
}

const PlotLegend = () =>
  h(
    Flex,
    { gap: 4, rowGap: 1, wrap: "wrap", fontSize: "xs", color: "fg.muted" },
    ["● ready", "▲ late", "✕ missed"].map((text) => h("span", { key: text }, text)),
    h(Flex, { as: "span", align: "center", gap: 1.5 }, h(Box, { w: 4, h: "2px", bg: "fg.error" }), "deadline"),
  );
