// One source's day on a line: when it usually comes, when it came, now, and its deadline.
import { Box, Flex, Text, chakra, h } from "./airflow.js";
import { Muted } from "./parts.js";
import { Icon } from "./states.js";
import { MINUTE, clock, useClock } from "./time.js";

/** Days below which a usual time would be guessed. */
export const ENOUGH = 10;

const inside = (percent) => percent >= 0 && percent <= 100;

export function Strip({ source, axis, zone }) {
  const { usual, ready_at: readyAt, deadline_at: deadlineAt, last_log_at: lastLogAt } = source;
  const at = (instant) => (instant ? axis.percent(instant) : null);
  const [p50, p90] = [at(usual?.p50), at(usual?.p90)];
  const known = p50 !== null && p90 !== null;
  const start = source.window_start ? Math.max(0, at(source.window_start)) : 0;
  const end = deadlineAt ? Math.min(100, at(deadlineAt)) : 100;
  return h(
    Box,
    {
      position: "relative",
      h: 7,
      role: "img",
      "aria-label": describe(source, zone),
      title: describe(source, zone),
    },
    // the time in which a log is on time
    h(Box, {
      ...line(start),
      w: `${Math.max(0, end - start)}%`,
      top: "50%",
      h: "1px",
      bg: "border.inverted",
      opacity: 0.5,
    }),
    known &&
      h(Box, {
        ...line(p50),
        w: `${Math.max(p90 - p50, 0.6)}%`,
        top: "25%",
        h: "50%",
        bg: "blue.emphasized",
        borderRadius: "sm",
        borderLeftWidth: "2px",
        borderColor: "blue.fg",
      }),
    h(NowLine, { axis }),
    lastLogAt &&
      !readyAt &&
      inside(at(lastLogAt)) &&
      h(Box, { ...line(at(lastLogAt)), top: "30%", h: "40%", w: "2px", bg: "fg" }),
    deadlineAt &&
      inside(at(deadlineAt)) &&
      h(Box, { ...line(at(deadlineAt)), top: "5%", h: "90%", w: "3px", ml: "-1.5px", bg: "fg.error" }),
    readyAt && h(Arrival, { left: Math.min(100, Math.max(0, at(readyAt))), late: source.state === "late" }),
  );
}

const line = (left) => ({ position: "absolute", left: `${left}%` });

function Arrival({ left, late }) {
  const palette = late ? "purple" : "green";
  return h(
    Flex,
    {
      ...line(left),
      top: "50%",
      boxSize: 5,
      transform: "translate(-50%, -50%)",
      borderRadius: "full",
      align: "center",
      justify: "center",
      bg: `${palette}.solid`,
      color: `${palette}.contrast`,
      "data-testid": "arrival",
    },
    h(Icon, { name: late ? "late" : "check", size: late ? 3.5 : 5, strokeWidth: late ? 2 : 1.6 }),
  );
}

/** Moves by itself, and leaves the strip when its day is over. */
function NowLine({ axis }) {
  const left = useClock((at) => Math.round(((at - axis.from) / (axis.to - axis.from)) * 1000) / 10);
  if (!inside(left)) return null;
  return h(Box, {
    ...line(left),
    top: 0,
    h: "100%",
    borderLeftWidth: "2px",
    borderStyle: "dotted",
    borderColor: "fg",
  });
}

/** The same in words. */
export function describe(
  { name, usual, ready_at: ready, deadline_at: deadline, log_count: count, needed },
  zone,
) {
  const told = [
    ready ? `ready at ${clock(ready, zone)}` : `${count ?? 0} of ${needed ?? "?"} logs`,
    usual?.p50 && usual?.p90
      ? `usually between ${clock(usual.p50, zone)} and ${clock(usual.p90, zone)}`
      : historyOf(usual),
    deadline && `deadline ${clock(deadline, zone)}`,
  ];
  return `${name}: ${told.filter(Boolean).join(", ")}`;
}

export const historyOf = (usual) =>
  (usual?.samples ?? 0) < ENOUGH
    ? `not enough history (${usual?.samples ?? 0} of ${ENOUGH} days)`
    : "usual time unknown";

/** When it usually comes, and how far off it is now. */
export function Usual({ source, zone, ...props }) {
  const { usual, ready_at: ready } = source;
  const behind = useClock((at) => {
    if (!usual?.p50) return null;
    const minutes = Math.round(((ready ? Date.parse(ready) : at) - Date.parse(usual.p50)) / MINUTE);
    return ready || minutes > 0 ? minutes : null;
  });
  if (!usual?.p50) return h(Muted, { fontSize: "xs", ...props }, historyOf(usual));
  const off =
    behind === null || behind === 0 ? "" : behind > 0 ? `, ${told(behind)} late` : `, ${told(-behind)} early`;
  return h(Muted, { fontSize: "xs", ...props }, `usually ${clock(usual.p50, zone)}${off}`);
}

const told = (minutes) =>
  minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;

export function AxisLabels({ axis }) {
  return h(
    Box,
    { position: "relative", h: 5, "aria-hidden": true },
    axis.ticks.map(({ at, left, text }, index) =>
      h(
        Text,
        {
          key: at,
          position: "absolute",
          left: `${left}%`,
          transform: "translateX(-50%)",
          fontSize: "xs",
          color: "fg.muted",
          fontVariantNumeric: "tabular-nums",
          display: index % 2 ? { base: "none", md: "block" } : "block",
        },
        text,
      ),
    ),
  );
}

export function Legend() {
  const entry = (mark, text) =>
    h(
      Flex,
      { key: text, as: "li", align: "center", gap: 1.5 },
      h(Flex, { w: 5, h: 4, align: "center", justify: "center", position: "relative" }, mark),
      text,
    );
  return h(
    chakra.ul,
    {
      display: "flex",
      flexWrap: "wrap",
      gap: 4,
      rowGap: 1,
      fontSize: "xs",
      color: "fg.muted",
      listStyleType: "none",
    },
    entry(
      h(Box, {
        w: 5,
        h: 3,
        bg: "blue.emphasized",
        borderLeftWidth: "2px",
        borderColor: "blue.fg",
        borderRadius: "sm",
      }),
      "usual: median to 90%",
    ),
    entry(
      h(
        Flex,
        { boxSize: 4, bg: "green.solid", color: "green.contrast", borderRadius: "full" },
        h(Icon, { name: "check", size: 4 }),
      ),
      "ready",
    ),
    entry(h(Box, { h: 4, borderLeftWidth: "2px", borderStyle: "dotted", borderColor: "fg" }), "now"),
    entry(h(Box, { h: 4, w: "3px", bg: "fg.error" }), "deadline"),
  );
}
