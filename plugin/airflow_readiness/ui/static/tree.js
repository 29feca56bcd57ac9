// The condition as a tree that opens and closes, with the evidence at each leaf.
import { FOCUS, Box, Flex, Link, Text, chakra, h, pathSource } from "./airflow.js";
import { SourceActions } from "./actions.js";
import { Ago, Facts, Mono, When } from "./parts.js";
import { StateBadge } from "./states.js";
import { Usual } from "./strip.js";
import { duration } from "./time.js";

const THERE = new Set(["ready", "late"]);

/** What else than to start it a flow's own deadline may do. */
const AT_DEADLINE = { skip: " (then skipped)", fail: " (then failed)" };

/** The parts of a node; none: it is a source. */
const partsOf = (node) => node.all ?? node.any ?? node.of ?? null;

/** Whether it is satisfied by data alone; a deadline that passed satisfies it too, and is said by its state. */
export function isThere(node, sources) {
  const parts = partsOf(node);
  if (!parts) return THERE.has(sources[node.source]?.state);
  const there = parts.filter((part) => isThere(part, sources)).length;
  return there >= (node.all ? parts.length : node.any ? 1 : node.at_least);
}

function title(node, parts) {
  if (node.all) return `All of ${parts.length}`;
  if (node.any) return `Any of ${parts.length}`;
  const grace = node.grace ? `, and then up to ${duration(node.grace * 1000)} for the rest` : "";
  return `At least ${node.at_least} of ${parts.length}${grace}`;
}

const SUMMARY = { cursor: "pointer", py: 1.5, borderRadius: "md", ...FOCUS };
const BRANCH = {
  ms: { base: 1.5, md: 2 },
  ps: { base: 3, md: 4 },
  borderStartWidth: "2px",
  borderColor: "border.emphasized",
};

export function Tree({ node, sources, zone, date, onDone }) {
  const parts = partsOf(node);
  const extra = [
    node.not_before && `not before ${node.not_before}`,
    node.deadline && `deadline ${node.deadline}${AT_DEADLINE[node.on] ?? ""}`,
  ]
    .filter(Boolean)
    .join(", ");
  const rest = { sources, zone, date, onDone };
  if (!parts) return h(Leaf, { source: sources[node.source], name: node.source, extra, ...rest });
  const there = parts.filter((part) => isThere(part, sources)).length;
  return h(
    chakra.details,
    { open: true },
    h(
      chakra.summary,
      SUMMARY,
      h(
        Flex,
        { as: "span", display: "inline-flex", gap: 2, align: "center", wrap: "wrap", ms: 1 },
        h(Text, { as: "span", fontWeight: "semibold" }, title(node, parts)),
        h(
          Text,
          { as: "span", fontSize: "sm", color: "fg.muted" },
          [`${there} ready`, extra].filter(Boolean).join(", "),
        ),
      ),
    ),
    h(
      chakra.ul,
      { listStyleType: "none", ...BRANCH },
      parts.map((part, index) => h("li", { key: index }, h(Tree, { node: part, ...rest }))),
    ),
  );
}

/** A source: one line that opens to its evidence; what is there already is closed. */
function Leaf({ source, name, extra, zone, date, onDone }) {
  if (!source) return h(Flex, { gap: 2, py: 2 }, h(Mono, null, name), h(StateBadge, { state: "unknown" }));
  return h(
    chakra.details,
    { open: !THERE.has(source.state), "data-testid": `leaf ${name}` },
    h(
      chakra.summary,
      SUMMARY,
      h(
        Flex,
        {
          as: "span",
          display: "inline-flex",
          gap: 2,
          align: "center",
          wrap: "wrap",
          ms: 1,
          verticalAlign: "middle",
        },
        h(Link, { to: pathSource(name), fontWeight: "medium", overflowWrap: "anywhere" }, name),
        h(StateBadge, { state: source.state }),
        !source.configured && source.state !== "not_configured" && h(StateBadge, { state: "not_configured" }),
        h(Usual, { source, zone }),
        extra && h(Text, { as: "span", fontSize: "sm", color: "fg.muted" }, extra),
      ),
    ),
    h(
      Box,
      { ps: 5, pb: 2 },
      h(Evidence, { source, zone, date }),
      h(Box, { mt: 2, _empty: { display: "none" } }, h(SourceActions, { source, onDone, size: "xs" })),
    ),
  );
}

function Evidence({ source, zone, date }) {
  const last = source.last_logs?.[0];
  const rows =
    last?.row_count === null || last?.row_count === undefined
      ? ""
      : `, ${last.row_count.toLocaleString("en")} rows`;
  const when = (at) => h(When, { at, zone, date });
  return h(Facts, {
    items: [
      ["Logs", `${source.log_count ?? 0} of ${source.needed ?? "?"}`],
      source.ready_at && ["Ready at", when(source.ready_at)],
      ["Deadline", when(source.deadline_at)],
      source.window_start && ["Logs count from", when(source.window_start)],
      [
        "Last log",
        last
          ? h(
              "span",
              null,
              when(last.logged_at),
              rows,
              last.fm_table && " in ",
              last.fm_table && h(Mono, null, last.fm_table),
            )
          : "none",
      ],
      ["Known", source.known_at ? h(Ago, { at: source.known_at, zone }) : "never looked"],
    ],
  });
}
