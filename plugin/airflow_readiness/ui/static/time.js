// Instants come from the server in UTC and are shown in the deployment's one zone, by the server's clock.
import { useSyncExternalStore } from "./airflow.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

let ahead = 0; // milliseconds by which the server's clock is ahead of the browser's

export function setServerNow(instant) {
  const measured = Date.parse(instant) - Date.now();
  // the way of the answer is no difference of clocks
  if (Math.abs(measured - ahead) > 2000) ahead = measured;
}

export const now = () => Date.now() + ahead;

const listeners = new Set();
let ticking;

function subscribe(listener) {
  listeners.add(listener);
  ticking ??= setInterval(() => !document.hidden && listeners.forEach((each) => each()), 1000);
  return () => {
    listeners.delete(listener);
    if (!listeners.size) ticking = clearInterval(ticking);
  };
}

/** A text or number that follows from the clock; drawn again only when it changes. */
export const useClock = (tell) => useSyncExternalStore(subscribe, () => tell(now()));

const formats = new Map();

function format(zone, options) {
  const key = `${zone} ${Object.keys(options)}`;
  if (!formats.has(key)) {
    const wanted = { hourCycle: "h23", ...options };
    try {
      formats.set(key, new Intl.DateTimeFormat("en-GB", { ...wanted, timeZone: zone }));
    } catch {
      // a zone that this browser does not know
      formats.set(key, new Intl.DateTimeFormat("en-GB", { ...wanted, timeZone: "UTC", timeZoneName: "short" }));
    }
  }
  return formats.get(key);
}

const TIME = { hour: "2-digit", minute: "2-digit" };

/** `2026-11-22` in the zone. */
export function dateOf(instant, zone) {
  const parts = format(zone, { year: "numeric", month: "2-digit", day: "2-digit" }).formatToParts(
    new Date(instant),
  );
  const of = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
  return `${of.year}-${of.month}-${of.day}`;
}

/** `05:40`; with its date where that is not the business date. */
export function clock(instant, zone, businessDate) {
  if (!instant) return "–";
  const time = format(zone, TIME).format(new Date(instant));
  const same = !businessDate || dateOf(instant, zone) === businessDate;
  return same ? time : `${shortDate(dateOf(instant, zone))} ${time}`;
}

/** `Sun 22 Nov 2026, 05:40:12 Europe/Berlin (04:40 UTC)`, for tooltips. */
export function exact(instant, zone) {
  const long = {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    ...TIME,
    second: "2-digit",
  };
  const utc = format("UTC", TIME).format(new Date(instant));
  return `${format(zone, long).format(new Date(instant))} ${zone}` + (zone === "UTC" ? "" : ` (${utc} UTC)`);
}

/** Minutes since midnight in the zone. */
export function minutesOfDay(instant, zone) {
  const [hours, minutes] = format(zone, TIME).format(new Date(instant)).split(":").map(Number);
  return hours * 60 + minutes;
}

const asDate = (date) => new Date(`${date}T00:00:00Z`);

/** `22 Nov` */
export const shortDate = (date) => format("UTC", { day: "numeric", month: "short" }).format(asDate(date));
/** `Sunday 22 November 2026` */
export const longDate = (date) =>
  format("UTC", { weekday: "long", day: "numeric", month: "long", year: "numeric" })
    .format(asDate(date))
    .replace(",", "");
/** 0 is Sunday. */
export const weekday = (date) => asDate(date).getUTCDay();
/** The date so many days later. */
export const addDays = (date, days) => new Date(asDate(date).getTime() + days * DAY).toISOString().slice(0, 10);
/** Whether it is a date as this page writes them. */
export const isDate = (text) => /^\d{4}-\d\d-\d\d$/.test(text ?? "") && !Number.isNaN(asDate(text).getTime());

/** `35 s`, `42 min`, `1 h 05 min`, `3 d 4 h` */
export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (seconds < 60) return `${seconds} s`;
  if (minutes < 60) return `${minutes} min`;
  if (hours < 24)
    return minutes % 60 ? `${hours} h ${String(minutes % 60).padStart(2, "0")} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

/** `12 s ago`, or `never` */
export const ago = (instant, at) => (instant ? `${duration(at - Date.parse(instant))} ago` : "never");
