// When a source was ready over ninety days, against its deadline. Hours run down, as the night does.
import { Box, Text, chakra, h } from "./airflow.js";
import { Card, Muted, Table } from "./parts.js";
import { StateBadge, stateOf } from "./states.js";
import { DAY, clock, dateOf, minutesOfDay, shortDate } from "./time.js";

const HEIGHT = 220;
const STEPS = [0.25, 0.5, 1, 2, 3, 6, 12].map((hours) => hours * 60);

/** Minutes from midnight of the business date, by the clock of the zone; below 0 on the evening before. */
function minutesFrom(instant, date, zone) {
  const days = Math.round((Date.parse(dateOf(instant, zone)) - Date.parse(date)) / DAY);
  return days * 24 * 60 + minutesOfDay(instant, zone);
}

export function Arrivals({ arrivals, zone }) {
  const points = arrivals.map((each, index) => ({
    ...each,
    left: ((index + 0.5) / arrivals.length) * 100,
    ready: each.ready_at ? minutesFrom(each.ready_at, each.date, zone) : null,
    deadline: each.deadline_at ? minutesFrom(each.deadline_at, each.date, zone) : null,
  }));
  const scale = scaleOf(
    points.flatMap(({ ready, deadline }) => [ready, deadline]).filter((each) => each !== null),
  );
  if (!scale) return h(Muted, null, "Nothing has arrived yet.");
  const label = `Arrivals of ${arrivals.length} days: ${points.filter(({ ready }) => ready !== null).length} came, ${count(points, "late")} late, ${count(points, "missed")} missed.`;
  return h(
    Box,
    null,
    h(
      Card,
      { p: 3, pe: 4, display: "flex", gap: 2 },
      h(HourLabels, { scale }),
      h(
        Box,
        { flex: 1, minW: 0 },
        h(
          chakra.svg,
          {
            w: "full",
            h: `${HEIGHT}px`,
            display: "block",
            overflow: "visible",
            role: "img",
            "aria-label": label,
          },
          scale.ticks.map((minutes) =>
            h(Line, { key: minutes, x1: 0, x2: 100, y: scale.y(minutes), stroke: "border" }),
          ),
          deadlines(points, scale),
          points.map((point) => h(Point, { key: point.date, point, scale, zone })),
        ),
        h(DayLabels, { points }),
      ),
    ),
    h(
      chakra.details,
      { mt: 2, fontSize: "sm" },
      h(chakra.summary, { cursor: "pointer", color: "fg.muted", py: 1 }, "The same as a table"),
      h(Table, {
        label: "Arrivals",
        head: ["Date", "Ready at", "Deadline", "State"],
        rows: [...arrivals]
          .reverse()
          .map((each) => [
            each.date,
            clock(each.ready_at, zone, each.date),
            clock(each.deadline_at, zone, each.date),
            h(StateBadge, { state: each.state }),
          ]),
      }),
    ),
  );
}

const count = (points, state) => points.filter((point) => point.state === state).length;

function scaleOf(values) {
  if (!values.length) return null;
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const air = Math.max((high - low) * 0.08, 10);
  [low, high] = [low - air, high + air];
  const step = STEPS.find((each) => (high - low) / each <= 7) ?? 24 * 60;
  const ticks = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) ticks.push(at);
  return { ticks, y: (minutes) => ((minutes - low) / (high - low)) * HEIGHT };
}

const Line = ({ x1, x2, y, ...props }) =>
  h(chakra.line, { x1: `${x1}%`, x2: `${x2}%`, y1: y, y2: y, ...props });

/** One line as long as the deadline stays the same. */
function deadlines(points, scale) {
  const half = 50 / points.length;
  const lines = [];
  for (const { date, left, deadline } of points) {
    if (deadline === null) continue;
    const last = lines.at(-1);
    if (last && last.deadline === deadline && last.x2 + half > left - half) last.x2 = left + half;
    else lines.push({ date, deadline, x1: left - half, x2: left + half });
  }
  return lines.map(({ date, deadline, x1, x2 }) =>
    h(Line, { key: `deadline ${date}`, x1, x2, y: scale.y(deadline), stroke: "fg.error", strokeWidth: 2 }),
  );
}

/** A dot; late a triangle, missed a cross upon the deadline: never colour alone. */
function Point({ point, scale, zone }) {
  const { ready, deadline, state, date, left } = point;
  if (ready === null && !(state === "missed" && deadline !== null)) return null;
  const { word, palette } = stateOf(state);
  const y = scale.y(ready ?? deadline);
  const title = h(
    "title",
    null,
    `${date}: ${word}${ready === null ? "" : ` at ${clock(point.ready_at, zone, date)}`}`,
  );
  const place = { x: `${left}%`, y: y - 6, width: 12, height: 12, overflow: "visible" };
  const shapes = { missed: "M-4 2l8 8m0-8l-8 8", late: "M0 1l5 9h-10z" };
  const shape = shapes[ready === null ? "missed" : state];
  return h(
    "svg",
    place,
    title,
    shape
      ? h(chakra.path, {
          d: shape,
          stroke: `${palette}.fg`,
          fill: state === "late" ? `${palette}.fg` : "none",
          strokeWidth: 2,
        })
      : h(chakra.circle, { cx: 0, cy: 6, r: 3.2, fill: `${palette}.fg` }),
  );
}

const HourLabels = ({ scale }) =>
  h(
    Box,
    { position: "relative", w: 10, h: `${HEIGHT}px`, flexShrink: 0, "aria-hidden": true },
    scale.ticks.map((minutes) =>
      h(
        Text,
        {
          key: minutes,
          position: "absolute",
          right: 0,
          top: `${scale.y(minutes)}px`,
          transform: "translateY(-50%)",
          fontSize: "xs",
          color: "fg.muted",
          fontVariantNumeric: "tabular-nums",
        },
        hourOf(minutes),
      ),
    ),
  );

function hourOf(minutes) {
  const inDay = ((minutes % 1440) + 1440) % 1440;
  return `${String(Math.floor(inDay / 60)).padStart(2, "0")}:${String(inDay % 60).padStart(2, "0")}`;
}

function DayLabels({ points }) {
  const every = Math.max(1, Math.ceil(points.length / 6));
  return h(
    Box,
    { position: "relative", h: 5, mt: 1, "aria-hidden": true },
    points.map(
      ({ date, left }, index) =>
        (points.length - 1 - index) % every === 0 &&
        h(
          Text,
          {
            key: date,
            position: "absolute",
            left: `${left}%`,
            transform: `translateX(${left > 95 ? -90 : -50}%)`,
            fontSize: "xs",
            color: "fg.muted",
            whiteSpace: "nowrap",
            display: ((points.length - 1 - index) / every) % 2 ? { base: "none", md: "block" } : "block",
          },
          shortDate(date),
        ),
    ),
  );
}
