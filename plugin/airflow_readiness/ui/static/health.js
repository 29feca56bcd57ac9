// Whether the parts are at work: the first line of the page, and what to do where they are not.
import { Box, Flex, Text, chakra, h } from "./airflow.js";
import { Ago, Card, Facts } from "./parts.js";
import { Icon } from "./states.js";
import { now } from "./time.js";

const OVERALL = {
  ok: { word: "All parts are at work", icon: "check", colour: "fg.success" },
  degraded: { word: "Degraded: flows start, some of them later", icon: "warning", colour: "fg.warning" },
  down: { word: "Down: no flow can start", icon: "cross", colour: "fg.error" },
};
const UNKNOWN = { word: "Nobody knows how it is", icon: "question", colour: "fg.muted" };
/** Milliseconds after which a part's last sign of life is odd; each gives one every 30 s. */
const QUIET = 90_000;
/** How the collector hears of Redis. */
const MODES = { notifications: "events", tracking: "tracking" };
const LEVELS = { error: ["cross", "fg.error"], warning: ["warning", "fg.warning"], info: ["info", "fg.info"] };

export function Health({ health, zone }) {
  const { word, icon, colour } = OVERALL[health.status] ?? UNKNOWN;
  const mode = health.redis?.mode;
  const pending = health.pending_pairs;
  return h(
    Card,
    { px: 4, py: 3, mt: 4, "data-testid": "health", "data-status": health.status },
    h(
      Flex,
      { align: { lg: "center" }, gap: { base: 3, lg: 8 }, direction: { base: "column", lg: "row" } },
      h(
        Flex,
        { align: "center", gap: 2, fontWeight: "semibold", flexShrink: 0 },
        h(Icon, { name: icon, size: 5, color: colour }),
        h("span", null, word),
      ),
      h(Facts, {
        flex: 1,
        min: "6rem",
        items: [
          ["Processor", h(Beat, { part: health.processor, zone })],
          ["Collector", h(Beat, { part: health.collector, zone })],
          ["Registrar", h(Beat, { part: health.registrar, zone })],
          ["Redis", MODES[mode] ?? (mode ? h(Doubt, null, "not heard") : "–")],
          ["Triggerers", health.triggerers ? health.triggerers : h(Doubt, null, "none alive")],
          ["Last event", h(Ago, { at: health.last_event_at, zone })],
          [
            "Pending pairs",
            pending === null || pending === undefined
              ? "–"
              : h(Pending, { pending, limit: health.pending_limit }),
          ],
        ],
      }),
    ),
    health.problems?.length > 0 && h(Problems, { problems: health.problems }),
  );
}

function Beat({ part, zone }) {
  if (!part?.beat_at) return h(Doubt, null, "never seen");
  const age = h(Ago, { at: part.beat_at, zone });
  return now() - Date.parse(part.beat_at) > QUIET ? h(Doubt, null, age) : age;
}

// Airflow looks at the oldest so many pairs of (flow, partition) and at no others
function Pending({ pending, limit }) {
  const text = `${pending} of ${limit}`;
  return pending > limit / 2 ? h(Doubt, null, text) : text;
}

const Doubt = ({ children }) =>
  h(
    chakra.span,
    { color: "fg.warning", fontWeight: "medium", display: "inline-flex", alignItems: "center", gap: 1 },
    h(Icon, { name: "warning", size: 3.5 }),
    children,
  );

function Problems({ problems }) {
  return h(
    chakra.ul,
    { mt: 3, pt: 3, borderTopWidth: "1px", borderColor: "border.emphasized", listStyleType: "none" },
    problems.map(({ level, text, remedy }) => {
      const [icon, colour] = LEVELS[level] ?? LEVELS.warning;
      return h(
        chakra.li,
        { key: text, display: "flex", gap: 2, mb: 2, fontSize: "sm", _last: { mb: 0 } },
        h(Icon, { name: icon, mt: 0.5, color: colour }),
        h(
          Box,
          { minW: 0, overflowWrap: "anywhere" },
          h(Text, null, text),
          remedy && h(Text, { color: "fg.muted" }, `What to do: ${remedy}`),
        ),
      );
    }),
  );
}
