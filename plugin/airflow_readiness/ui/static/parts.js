// Small pieces that every page is made of.
import { FOCUS, Box, Button, Flex, Heading, Text, chakra, h, useState } from "./airflow.js";
import { Icon } from "./states.js";
import { ago, clock, exact, useClock } from "./time.js";

/** The frame of a page: no wider than the eye follows. */
export const Page = (props) =>
  h(Box, { maxW: "7xl", mx: "auto", w: "full", px: { base: 1, md: 2 }, pt: 2, pb: 12, ...props });

export function Panel({ title, aside, children, ...props }) {
  return h(
    chakra.section,
    { mt: 7, "aria-label": title, ...props },
    h(
      Flex,
      { align: "baseline", justify: "space-between", gap: 3, mb: 2.5, wrap: "wrap" },
      h(Heading, { as: "h2", size: "md" }, title),
      aside,
    ),
    children,
  );
}

/** A frame without a fill, which would be near black in the dark. */
export const Card = (props) =>
  h(Box, { borderWidth: "1px", borderColor: "border.emphasized", borderRadius: "lg", ...props });

export const Muted = (props) => h(Text, { as: "span", color: "fg.muted", fontSize: "sm", ...props });

export const Mono = (props) =>
  h(chakra.code, { fontFamily: "mono", fontSize: "0.92em", overflowWrap: "anywhere", ...props });

/** A time of the clock; the whole of it when pointed at. */
export function When({ at, zone, date }) {
  if (!at) return h("span", null, "–");
  return h("time", { dateTime: at, title: exact(at, zone) }, clock(at, zone, date));
}

/** `12 s ago`, counting. */
export function Ago({ at, zone }) {
  const told = useClock((now) => ago(at, now));
  return h("time", at ? { dateTime: at, title: exact(at, zone) } : null, told);
}

const BANNERS = { error: "cross", warning: "warning", info: "info" };

/** Something to know before all else. */
export function Banner({ level = "warning", title, children, ...props }) {
  return h(
    Flex,
    {
      role: level === "info" ? "note" : "alert",
      gap: 3,
      p: 3,
      mt: 4,
      borderRadius: "lg",
      borderWidth: "1px",
      fontSize: "sm",
      bg: `bg.${level}`,
      borderColor: `border.${level}`,
      align: "flex-start",
      ...props,
    },
    h(Icon, { name: BANNERS[level], mt: 0.5, color: `fg.${level}` }),
    h(Box, { minW: 0 }, h(Text, { fontWeight: "semibold" }, title), children),
  );
}

/** Our Postgres cannot be read, or nobody answers: how old is what is shown. */
export function Freshness({ looked, zone }) {
  const { data, error, at } = looked;
  const since = data?.stale?.since;
  const age = useClock((now) => (error && at ? ago(new Date(at).toISOString(), now) : ""));
  if (data && error) {
    return h(
      Banner,
      { level: "error", title: `No answer: what follows is from ${age}` },
      `${error.message}. It is asked again.`,
    );
  }
  if (!data?.stale) return null;
  return h(
    Banner,
    { title: "The log database cannot be read" },
    h(
      Text,
      null,
      data.stale.message,
      since && [" The last answer was ", h(Ago, { key: "ago", at: since, zone }), "."],
    ),
  );
}

/** What a page shows while there is no data: that it loads, or why it cannot. */
export function NoData({ error }) {
  if (error) return h(Banner, { level: error.status === 404 ? "info" : "error", title: error.message });
  const bar = (width, key) =>
    h(Box, {
      key,
      h: 5,
      w: width,
      mb: 4,
      borderRadius: "md",
      bg: "bg.emphasized",
      opacity: 0.6,
      animation: "pulse",
    });
  return h(Box, { role: "status", "aria-label": "loading", mt: 6 }, ["40%", "90%", "75%", "85%"].map(bar));
}

/** Name and value, one beside the other: in columns of a least width, or without one as closely as they go. */
export function Facts({ items, min, ...props }) {
  const columns = { display: "grid", gridTemplateColumns: `repeat(auto-fill, minmax(${min}, 1fr))`, gap: 3 };
  const close = { display: "flex", flexWrap: "wrap", columnGap: 7, rowGap: 2 };
  return h(
    chakra.dl,
    { ...(min ? columns : close), ...props },
    items
      .filter(Boolean)
      .map(([name, value]) =>
        h(
          Box,
          { key: name, minW: 0 },
          h(chakra.dt, { color: "fg.muted", fontSize: "xs" }, name),
          h(chakra.dd, { fontSize: "sm", overflowWrap: "anywhere", fontVariantNumeric: "tabular-nums" }, value),
        ),
      ),
  );
}

/** A table that scrolls inside its frame where the screen is narrow. */
export function Table({ label, head, rows }) {
  const cell = { textAlign: "start", px: 3, py: 1.5, whiteSpace: "nowrap", fontVariantNumeric: "tabular-nums" };
  return h(
    Card,
    { overflowX: "auto", tabIndex: 0, role: "region", "aria-label": label, ...FOCUS },
    h(
      chakra.table,
      { w: "full", fontSize: "sm" },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          head.map((name) =>
            h(
              chakra.th,
              { key: name, scope: "col", ...cell, color: "fg.muted", fontWeight: "medium", fontSize: "xs" },
              name,
            ),
          ),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((row, index) =>
          h(
            chakra.tr,
            { key: index, borderTopWidth: "1px", borderColor: "border" },
            row.map((value, column) => h(chakra.td, { key: column, ...cell }, value ?? "–")),
          ),
        ),
      ),
    ),
  );
}

/** Text to take away. */
export function Copied({ text, label = "Copy" }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await copyText(text);
    setDone(true);
    setTimeout(() => setDone(false), 2000);
  };
  return h(
    Button,
    { size: "xs", variant: "outline", onClick: copy, flexShrink: 0, "aria-live": "polite" },
    done ? "Copied" : label,
  );
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // over plain http there is no clipboard but this
  const field = Object.assign(document.createElement("textarea"), { value: text });
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

export function CodeBlock({ text, label }) {
  return h(
    Card,
    { p: 3, display: "flex", gap: 3, alignItems: "flex-start" },
    h(
      chakra.pre,
      {
        flex: 1,
        minW: 0,
        overflowX: "auto",
        fontFamily: "mono",
        fontSize: "sm",
        tabIndex: 0,
        "aria-label": label,
      },
      text,
    ),
    h(Copied, { text }),
  );
}
