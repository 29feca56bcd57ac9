// Today's strips: all sources under one another on one axis.
import { Box, Flex, Link, Text, h, pathSource, useMemo } from "./airflow.js";
import { Card } from "./parts.js";
import { axisOf } from "./axis.js";
import { StateBadge } from "./states.js";
import { AxisLabels, Strip, Usual } from "./strip.js";
import { now } from "./time.js";

const COLUMNS = { base: "1fr", md: "minmax(13rem, 19rem) 1fr" };

export function SourceRows({ sources, zone }) {
  const axis = useMemo(() => axisOf(sources, now(), zone), [sources, zone]);
  return h(
    Card,
    { as: "ul", listStyleType: "none", overflow: "hidden" },
    axis &&
      h(
        Box,
        { as: "li", "aria-hidden": true, display: "grid", gridTemplateColumns: COLUMNS, gap: 4, px: 4, pt: 2 },
        h(Box, { display: { base: "none", md: "block" } }),
        h(AxisLabels, { axis }),
      ),
    sources.map((source) => h(SourceRow, { key: source.name, source, axis, zone })),
  );
}

function SourceRow({ source, axis, zone }) {
  const count =
    source.needed > 1 || !source.ready_at ? `${source.log_count ?? 0} of ${source.needed ?? "?"} logs` : "";
  return h(
    Box,
    {
      as: "li",
      display: "grid",
      gridTemplateColumns: COLUMNS,
      columnGap: 4,
      rowGap: 1,
      px: 4,
      py: 2,
      alignItems: "center",
      borderTopWidth: "1px",
      borderColor: "border",
      _first: { borderTopWidth: 0 },
      "data-testid": `source ${source.name}`,
    },
    h(
      Box,
      { minW: 0 },
      h(
        Flex,
        { align: "center", gap: 2, wrap: "wrap" },
        h(Link, { to: pathSource(source.name), fontWeight: "medium", overflowWrap: "anywhere" }, source.name),
        h(StateBadge, { state: source.state }),
        !source.configured && source.state !== "not_configured" && h(StateBadge, { state: "not_configured" }),
      ),
      h(Text, { fontSize: "xs", color: "fg.muted" }, count, count && " · ", h(Usual, { source, zone })),
    ),
    axis && h(Strip, { source, axis, zone }),
  );
}
