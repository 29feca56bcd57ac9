// One flow of tonight: its state, one sentence, and what is left.
import { Box, Flex, Link, Text, h, pathFlow, pathRun } from "./airflow.js";
import { Countdown } from "./countdown.js";
import { Mono, When } from "./parts.js";
import { Icon, StateBadge, shownState } from "./states.js";

/** States that say more than that it was launched. */
const WORTH_SAYING = new Set(["missed", "late"]);

export function FlowRow({ flow, zone, date }) {
  const shown = shownState(flow);
  return h(
    Box,
    {
      as: "li",
      display: "grid",
      columnGap: 4,
      rowGap: 1,
      px: 4,
      py: 3,
      alignItems: "start",
      borderTopWidth: "1px",
      borderColor: "border",
      _first: { borderTopWidth: 0 },
      gridTemplateColumns: { base: "1fr auto", md: "8.5rem minmax(0, 1fr) 9.5rem" },
      "data-testid": `flow ${flow.dag_id}`,
    },
    h(
      Flex,
      { gap: 1, wrap: "wrap", pt: 0.5, justifySelf: "start" },
      h(StateBadge, { state: shown }),
      shown !== flow.state && WORTH_SAYING.has(flow.state) && h(StateBadge, { state: flow.state }),
    ),
    h(
      Box,
      { minW: 0, gridColumn: { base: "1 / -1", md: "2" }, gridRow: { base: 2, md: 1 } },
      h(
        Flex,
        { gap: 2, align: "baseline", wrap: "wrap" },
        h(
          Link,
          { to: pathFlow(flow.dag_id, date), fontWeight: "semibold", fontSize: "md", overflowWrap: "anywhere" },
          flow.dag_id,
        ),
        flow.paused && h(Flag, { icon: "pause" }, "paused"),
        flow.broken && h(Flag, { icon: "warning" }, "its file is broken"),
      ),
      h(Text, { fontSize: "sm", overflowWrap: "anywhere" }, flow.sentence),
      // a single source is named in the sentence already
      flow.sources?.length > 1 && h(Mono, { color: "fg.muted", fontSize: "xs" }, flow.condition),
    ),
    h(Box, { gridColumn: { base: 2, md: 3 }, gridRow: 1, textAlign: "end" }, h(Left, { flow, zone })),
  );
}

const Flag = ({ icon, children }) =>
  h(
    Flex,
    { as: "span", align: "center", gap: 1, fontSize: "xs", fontWeight: "semibold", color: "fg.warning" },
    h(Icon, { name: icon, size: 3.5 }),
    children,
  );

/** The right edge: what is left until it starts anyway, or when it started. */
function Left({ flow, zone }) {
  const big = { display: "block", fontSize: "md", fontWeight: "semibold", lineHeight: 1.3 };
  const small = { display: "block", fontSize: "xs", color: "fg.muted" };
  const date = flow.business_date;
  if (flow.launched_at) {
    return h(
      Box,
      null,
      h(
        Text,
        { as: "span", ...big, fontVariantNumeric: "tabular-nums" },
        h(When, { at: flow.launched_at, zone, date }),
      ),
      h(
        Text,
        { as: "span", ...small },
        flow.run
          ? h(
              Link,
              {
                to: pathRun(flow.dag_id, flow.run.run_id),
                "aria-label": `Run of ${flow.dag_id}: ${flow.run.state}`,
              },
              `run ${flow.run.state}`,
            )
          : "no run yet",
      ),
    );
  }
  if (!flow.deadline_at) return h(Text, { as: "span", ...small }, "no deadline known");
  return h(
    Box,
    null,
    h(Countdown, { at: flow.deadline_at, ...big }),
    h(Text, { as: "span", ...small }, "deadline ", h(When, { at: flow.deadline_at, zone, date })),
  );
}
