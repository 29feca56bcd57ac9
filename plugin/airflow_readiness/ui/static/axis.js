// The one time axis that all strips of a page share.
import { DAY, HOUR, MINUTE, clock, minutesOfDay } from "./time.js";

const STEPS = [15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * MINUTE);
const TICKS = 7;

/** From the first to the last that is to be shown, with some air: `{from, to, percent(instant), ticks}`. */
export function axisOf(sources, now, zone) {
  const all = sources
    .flatMap((each) => [each.deadline_at, each.ready_at, each.last_log_at, each.usual?.p50, each.usual?.p90])
    .filter(Boolean)
    .map((instant) => Date.parse(instant));
  if (!all.length) return null;
  const starts = sources
    .map((each) => each.window_start)
    .filter(Boolean)
    .map((instant) => Date.parse(instant));
  // a log may come long after: it must not squeeze the night into a corner
  const deadlines = sources.map((each) => Date.parse(each.deadline_at)).filter(Number.isFinite);
  const latest = deadlines.length ? Math.max(...deadlines) + 12 * HOUR : Infinity;
  let from = Math.min(...all);
  let to = Math.min(Math.max(...all), latest);
  // of the long time in which nothing usually comes, a little is enough
  if (starts.length) from = Math.max(Math.min(from, ...starts), from - Math.max(HOUR, (to - from) / 5));
  if (now > from && now < to + (to - from) / 4) to = Math.max(to, now);
  to = Math.max(to, from + HOUR);
  const air = (to - from) * 0.03;
  from = Math.max(from - air, to - 2 * DAY);
  to += air;
  const percent = (instant) => ((Date.parse(instant) - from) / (to - from)) * 100;
  return { from, to, percent, ticks: ticksOf(from, to, zone) };
}

function ticksOf(from, to, zone) {
  const step = STEPS.find((each) => (to - from) / each <= TICKS) ?? DAY;
  const ticks = [];
  // quarters of an hour are the same in all zones; the step counts from midnight of the zone
  for (let at = Math.ceil(from / (15 * MINUTE)) * 15 * MINUTE; at < to; at += 15 * MINUTE) {
    const instant = new Date(at).toISOString();
    if ((minutesOfDay(instant, zone) * MINUTE) % step === 0) {
      ticks.push({ at, left: ((at - from) / (to - from)) * 100, text: clock(instant, zone) });
    }
  }
  return ticks;
}
