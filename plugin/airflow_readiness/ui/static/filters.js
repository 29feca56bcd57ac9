// Filters live in the address, so that they can be sent to somebody and survive a reload.
import { useQuery } from "./address.js";
import { FOCUS, Box, Flex, chakra, h } from "./airflow.js";
import { Icon, STATES, shownState, stateOf } from "./states.js";

const ORDER = Object.keys(STATES);

/** What is asked for, and how to ask for something else. */
export function useFilters() {
  const [query, change] = useQuery();
  const text = query.get("q") ?? "";
  const states = (query.get("state") ?? "").split(",").filter(Boolean);
  const toggled = (state) =>
    states.includes(state) ? states.filter((each) => each !== state) : [...states, state];
  return {
    text,
    states,
    any: Boolean(text || states.length),
    setText: (q) => change({ q }, { replace: true }),
    toggle: (state) => change({ state: toggled(state).join(",") }, { replace: true }),
    clear: () => change({ q: null, state: null }, { replace: true }),
  };
}

const has = (words, text) => words.some((word) => word.toLowerCase().includes(text.toLowerCase()));

export const flowPasses = (flow, { text, states }) =>
  (!states.length || states.includes(shownState(flow)) || states.includes(flow.state)) &&
  has([flow.dag_id, flow.condition, flow.sentence], text);

/** A source is shown with its flows, or for its own name. */
export const sourcePasses = (source, { text, states, any }, wanted) =>
  !any || wanted.has(source.name) || (!states.length && has([source.name], text));

/** A field for text, and a button for each state that there is, with how many. */
export function Filters({ flows, filters }) {
  const counts = new Map();
  for (const flow of flows) counts.set(shownState(flow), (counts.get(shownState(flow)) ?? 0) + 1);
  for (const state of filters.states) if (!counts.has(state)) counts.set(state, 0);
  const shown = [...counts].sort(([a], [b]) => ORDER.indexOf(a) - ORDER.indexOf(b));
  return h(
    Flex,
    { gap: 2, wrap: "wrap", align: "center", mb: 3 },
    h(chakra.input, {
      type: "search",
      value: filters.text,
      placeholder: "Flow or source",
      "aria-label": "Filter by flow or source",
      h: 8,
      px: 3,
      ...FOCUS,
      w: { base: "full", sm: "15rem" },
      fontSize: "sm",
      bg: "transparent",
      borderWidth: "1px",
      borderColor: "border.emphasized",
      borderRadius: "md",
      onChange: (event) => filters.setText(event.target.value),
    }),
    h(
      Flex,
      { gap: 1.5, wrap: "wrap", role: "group", "aria-label": "Filter by state" },
      shown.map(([state, count]) => h(Chip, { key: state, state, count, filters })),
    ),
  );
}

function Chip({ state, count, filters }) {
  const { word, icon, palette } = stateOf(state);
  const pressed = filters.states.includes(state);
  return h(
    chakra.button,
    {
      type: "button",
      "aria-pressed": pressed,
      onClick: () => filters.toggle(state),
      display: "inline-flex",
      alignItems: "center",
      gap: 1.5,
      h: 8,
      px: 3,
      fontSize: "sm",
      borderRadius: "full",
      borderWidth: "1px",
      cursor: "pointer",
      borderColor: pressed ? `${palette}.fg` : "border.emphasized",
      bg: pressed ? `${palette}.subtle` : "transparent",
      _hover: { borderColor: `${palette}.fg` },
      ...FOCUS,
    },
    h(Icon, { name: icon, size: 3.5, color: `${palette}.fg` }),
    word,
    h(Box, { as: "span", color: "fg.muted", fontVariantNumeric: "tabular-nums" }, count),
  );
}
