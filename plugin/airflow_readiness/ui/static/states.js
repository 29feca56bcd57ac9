// The words of the board. A state is told by word and icon; its colour is only a help.
import { chakra, h } from "./airflow.js";

const CIRCLE = "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 1 0 0-12.5z";
const ICONS = {
  check: `${CIRCLE}M5.2 8.2l2 2l3.6-4`,
  play: `${CIRCLE}M6.6 5.4v5.2l4.2-2.6z`,
  clock: `${CIRCLE}M8 4.6V8l2.3 1.5`,
  warning: "M8 2.2l6.2 11.2H1.8zM8 6.4v3.2M8 11.4v.1",
  cross: `${CIRCLE}M5.9 5.9l4.2 4.2M10.1 5.9l-4.2 4.2`,
  late: "M8 1.75a6.25 6.25 0 1 0 6.25 6.25M8 4.6V8h3M11 2.2l3 0l0 3",
  dash: `${CIRCLE}M5.2 8h5.6`,
  skip: `${CIRCLE}M5.4 5.6L8 8L5.4 10.4M8.4 5.6L11 8L8.4 10.4`,
  gear: "M3 4.5h6M12 4.5h1M3 8h1M7 8h6M3 11.5h7M13 11.5h0M10.5 3v3M5.5 6.5v3M11.5 10v3",
  question: `${CIRCLE}M6.2 6.4a1.8 1.8 0 1 1 2.6 1.6c-.5.3-.8.6-.8 1.2M8 11.2v.1`,
  pause: `${CIRCLE}M6.6 5.8v4.4M9.4 5.8v4.4`,
  info: `${CIRCLE}M8 7.4v3.4M8 5.1v.1`,
};

/** State → word, icon, colour. `worry` sorts the filters: what needs a look first. */
export const STATES = {
  failed: { word: "failed", icon: "cross", palette: "red" },
  late: { word: "late", icon: "late", palette: "purple" },
  missed: { word: "missed", icon: "cross", palette: "red" },
  at_risk: { word: "at risk", icon: "warning", palette: "amber" },
  unknown: { word: "unknown", icon: "question", palette: "gray", dashed: true },
  waiting: { word: "waiting", icon: "clock", palette: "blue" },
  held: { word: "held", icon: "pause", palette: "amber" },
  launched: { word: "launched", icon: "play", palette: "green" },
  ready: { word: "ready", icon: "check", palette: "green" },
  skipped: { word: "skipped", icon: "skip", palette: "gray" },
  not_configured: { word: "not configured", icon: "gear", palette: "gray" },
  not_due: { word: "not due", icon: "dash", palette: "gray" },
  // of a day that is over
  on_time: { word: "on time", icon: "check", palette: "green" },
  no_run: { word: "no run", icon: "question", palette: "gray", dashed: true },
};

/** A state of which nobody told us is shown by its own word, and as unknown. */
export const stateOf = (name) => STATES[name] ?? { ...STATES.unknown, word: String(name).replaceAll("_", " ") };

/** It was decided not to start it. */
const AGAINST = new Set(["skipped", "failed"]);

/** What a flow is shown as: once launched, that; unless it cannot start although it was. */
export function shownState({ launched_at: launchedAt, launch, run, paused, broken, state }) {
  if ((!launchedAt && !launch) || AGAINST.has(state)) return state;
  return !run && (paused || broken) ? "held" : "launched";
}

export function Icon({ name, size = 4, ...props }) {
  return h(
    chakra.svg,
    {
      viewBox: "0 0 16 16",
      boxSize: size,
      flexShrink: 0,
      fill: "none",
      stroke: "currentColor",
      strokeWidth: 1.5,
      strokeLinecap: "round",
      strokeLinejoin: "round",
      "aria-hidden": true,
      ...props,
    },
    h("path", { d: ICONS[name] }),
  );
}

export function StateBadge({ state, ...props }) {
  const { word, icon, palette, dashed } = stateOf(state);
  return h(
    chakra.span,
    {
      display: "inline-flex",
      alignItems: "center",
      gap: 1.5,
      px: 2,
      py: 0.5,
      borderRadius: "md",
      fontSize: "xs",
      fontWeight: "semibold",
      whiteSpace: "nowrap",
      color: `${palette}.fg`,
      borderWidth: "1px",
      bg: dashed ? "transparent" : `${palette}.subtle`,
      borderStyle: dashed ? "dashed" : "solid",
      borderColor: dashed ? "border.inverted" : `${palette}.muted`,
      "data-state": state,
      ...props,
    },
    h(Icon, { name: icon, size: 3.5 }),
    word,
  );
}
