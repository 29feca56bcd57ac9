// What is left until a deadline, counted here from an absolute time.
import { Text, h } from "./airflow.js";
import { MINUTE, duration, useClock } from "./time.js";

const SOON = 15 * MINUTE;

/** `in 42 min`, or `18 min ago`. Seconds only in the last two minutes: a page full of them is unrest. */
export function Countdown({ at, ...props }) {
  const end = Date.parse(at);
  const told = useClock((now) => {
    const left = end - now;
    return left >= 0 ? `in ${coarse(left)}` : `${coarse(-left)} ago`;
  });
  const colour = useClock((now) => (end < now ? "fg.error" : end - now < SOON ? "fg.warning" : "fg"));
  return h(
    Text,
    { as: "span", color: colour, fontVariantNumeric: "tabular-nums", "data-testid": "countdown", ...props },
    told,
  );
}

const coarse = (left) => duration(left < 2 * MINUTE ? left : Math.floor(left / MINUTE) * MINUTE);
