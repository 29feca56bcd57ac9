// The tab on a DAG's page: why it has not started, or by what it was started.
import {
  Box,
  Flex,
  Heading,
  Link,
  Text,
  chakra,
  h,
  pathRun,
  pathTonight,
  useEffect,
  useMemo,
} from "./airflow.js";
import { FlowActions } from "./actions.js";
import { useAnnounced } from "./announce.js";
import { pathOf } from "./api.js";
import { Countdown } from "./countdown.js";
import { DateChoice, useDate } from "./dates.js";
import { HowTo } from "./empty.js";
import { Heat } from "./heat.js";
import { Banner, Card, Facts, Freshness, Muted, NoData, Page, Panel, When } from "./parts.js";
import { usePolled } from "./polling.js";
import { StateBadge, shownState } from "./states.js";
import { longDate } from "./time.js";
import { Tree } from "./tree.js";

export function FlowTab({ dagId }) {
  const [chosen, setDate] = useDate();
  const looked = usePolled(pathOf(["flows", dagId], { date: chosen }));
  const { data } = looked;
  useEffect(() => {
    document.title = `${dagId} – Readiness`;
  }, [dagId]);
  const shown = data?.consumer ? shownState(data) : null;
  useAnnounced(useMemo(() => shown && { [dagId]: shown, ...statesOf(data) }, [data]));

  if (!data) return h(Page, { pt: 4 }, h(NoData, looked));
  if (!data.consumer) return h(NoConsumer);
  const { timezone: zone, business_date: date } = data;
  return h(
    Page,
    { pt: 3, px: { base: 2, md: 4 }, opacity: looked.loading ? 0.6 : 1, "aria-busy": looked.loading },
    h(
      Flex,
      { justify: "space-between", gap: 3, wrap: "wrap", align: "center" },
      h(Heading, { as: "h2", size: "lg" }, longDate(date)),
      h(DateChoice, { date, chosen, setDate }),
    ),
    h(Freshness, { looked, zone }),
    data.paused &&
      h(
        Banner,
        { title: "This DAG is paused" },
        "Its launch is held until it is not: nothing is lost.",
        data.dropped > 0 &&
          ` ${data.dropped} of its events came while it was paused, and Airflow dropped them; the launch is repaired by itself.`,
      ),
    !data.paused &&
      data.dropped > 0 &&
      h(
        Banner,
        { title: `${data.dropped} events came while this DAG was paused, and Airflow dropped them` },
        "What was due is started by itself.",
      ),
    data.broken &&
      h(
        Banner,
        { level: "error", title: "The file of this DAG is broken or gone" },
        "Its launch is held until Airflow can read it. See the import errors on Airflow's home page.",
      ),
    h(Answer, { flow: { ...data, dag_id: dagId }, zone, date, shown, onDone: looked.reload }),
    h(
      Panel,
      { title: "Condition" },
      h(
        Card,
        { px: 4, py: 2 },
        h(Tree, { node: data.condition, sources: data.sources, zone, date, onDone: looked.reload }),
      ),
    ),
    h(
      Panel,
      { title: "The last 30 days", aside: h(Muted, null, "a click opens that date") },
      h(Heat, { days: data.days, selected: date, onChoose: setDate }),
    ),
  );
}

const statesOf = (data) =>
  Object.fromEntries(Object.entries(data.sources).map(([name, { state }]) => [name, state]));

/** The first thing one sees: state, sentence, time; then why, and what can be done. */
function Answer({ flow, zone, date, shown, onDone }) {
  const { launch, run } = flow;
  return h(
    Card,
    { mt: 4, p: 4, "data-testid": "answer" },
    h(
      Flex,
      { gap: 4, justify: "space-between", align: "flex-start", wrap: "wrap" },
      h(
        Box,
        { flex: "1 1 18rem", minW: 0 },
        h(StateBadge, { state: shown, fontSize: "sm" }),
        h(Text, { fontSize: "lg", fontWeight: "semibold", mt: 2, overflowWrap: "anywhere" }, flow.sentence),
      ),
      !launch &&
        flow.deadline_at &&
        h(
          Box,
          { textAlign: { base: "start", md: "end" } },
          h(Countdown, { at: flow.deadline_at, fontSize: "xl", fontWeight: "semibold", display: "block" }),
          h(Muted, null, "starts anyway at ", h(When, { at: flow.deadline_at, zone, date })),
        ),
    ),
    h(Why, { why: flow.why ?? [] }),
    launch &&
      h(Facts, {
        mt: 4,
        min: "10rem",
        items: [
          [DECIDED[shown] ?? "Launched", h(When, { at: launch.decided_at, zone, date })],
          ["Published", launch.published_at ? h(When, { at: launch.published_at, zone, date }) : "not yet"],
          [
            "Run",
            run
              ? h(
                  Link,
                  { to: pathRun(flow.dag_id, run.run_id), overflowWrap: "anywhere" },
                  `${run.run_id} (${run.state})`,
                )
              : "none yet",
          ],
          ...Object.entries(launch.outcomes ?? {}).map(([name, outcome]) => [
            name,
            OUTCOMES[outcome] ?? outcome,
          ]),
        ],
      }),
    h(Box, { mt: 4, _empty: { display: "none" } }, h(FlowActions, { flow, onDone })),
  );
}

// what was said by hand is seen at once; the rest, which the tree shows too, when it is asked for
const BY_HAND = "by hand: ";

function Why({ why }) {
  const list = (texts) =>
    h(
      chakra.ul,
      { ps: 5, mt: 2, fontSize: "sm", overflowWrap: "anywhere", listStyleType: "disc" },
      texts.map((text, index) => h("li", { key: index }, text)),
    );
  const told = why.map((text) => text.replace(/^- /, ""));
  const byHand = told.filter((text) => text.startsWith(BY_HAND));
  const rest = told.filter((text) => !text.startsWith(BY_HAND));
  return h(
    Box,
    null,
    byHand.length > 0 && list(byHand),
    rest.length > 0 &&
      h(
        chakra.details,
        { mt: 2, fontSize: "sm" },
        h(chakra.summary, { cursor: "pointer", color: "fg.muted" }, "In full, and what it takes"),
        list(rest),
      ),
  );
}

const OUTCOMES = {
  ready: "was ready",
  deadline: "was past its deadline",
  pending: "was not needed",
  skipped: "was skipped",
  not_due: "was not due",
};

/** A launch, or what was decided against it. */
const DECIDED = { skipped: "Skipped", failed: "Made to fail" };

function NoConsumer() {
  return h(
    Page,
    { pt: 5, px: 4, maxW: "46rem", mx: 0, "data-testid": "no consumer" },
    h(Heading, { as: "h2", size: "md", mb: 2 }, "This DAG waits for no source"),
    h(
      Text,
      { mb: 4 },
      "Give it ",
      h(chakra.code, { fontFamily: "mono" }, "schedule=ready(…)"),
      " and it starts as soon as its sources are ready for a date, and at their deadline anyway. ",
      h(Link, { to: pathTonight() }, "See what waits tonight"),
    ),
    h(HowTo),
  );
}
