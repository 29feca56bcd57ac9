// Thirty days of a flow, a cell for each; an empty day is no good day.
import { FOCUS, Box, Flex, Text, chakra, h } from "./airflow.js";
import { Icon, stateOf } from "./states.js";
import { duration, longDate, shortDate, weekday } from "./time.js";

const WEEKEND = [0, 6];

export function Heat({ days, selected, onChoose }) {
  return h(
    Box,
    null,
    h(
      chakra.ol,
      {
        display: "grid",
        gridTemplateColumns: { base: "repeat(auto-fill, minmax(2.1rem, 1fr))", xl: "repeat(30, minmax(0, 1fr))" },
        gap: 1,
        listStyleType: "none",
      },
      days.map((day) => h(Cell, { key: day.date, day, selected: day.date === selected, onChoose })),
    ),
    h(
      Flex,
      { gap: 4, rowGap: 1, wrap: "wrap", mt: 3, fontSize: "xs", color: "fg.muted" },
      [...new Set(days.map((day) => day.state))].map((state) =>
        h(
          Flex,
          { key: state, align: "center", gap: 1 },
          h(Icon, { name: stateOf(state).icon, size: 3.5, color: `${stateOf(state).palette}.fg` }),
          stateOf(state).word,
        ),
      ),
    ),
  );
}

/** `Friday 20 November 2026: late by 12 min` */
export const tellDay = ({ date, state, late_by: lateBy }) =>
  `${longDate(date)}: ${stateOf(state).word}${lateBy ? ` by ${duration(lateBy * 1000)}` : ""}`;

function Cell({ day, selected, onChoose }) {
  const { icon, palette, dashed } = stateOf(day.state);
  const strong = ["late", "missed"].includes(day.state);
  return h(
    "li",
    null,
    h(
      chakra.button,
      {
        type: "button",
        w: "full",
        h: 11,
        borderRadius: "md",
        cursor: "pointer",
        display: "flex",
        flexDirection: "column",
        alignItems: "center",
        justifyContent: "center",
        gap: 0.5,
        borderWidth: "1px",
        fontSize: "2xs",
        fontVariantNumeric: "tabular-nums",
        bg:
          dashed || day.state === "not_due" ? "transparent" : strong ? `${palette}.muted` : `${palette}.subtle`,
        color: `${palette}.fg`,
        borderStyle: dashed ? "dashed" : "solid",
        borderColor: dashed ? "border.inverted" : `${palette}.muted`,
        outline: selected ? "2px solid" : undefined,
        outlineColor: "fg",
        outlineOffset: "1px",
        "aria-current": selected ? "date" : undefined,
        "aria-label": tellDay(day),
        title: tellDay(day),
        onClick: () => onChoose(day.date),
        "data-state": day.state,
        _hover: { borderColor: `${palette}.fg` },
        ...FOCUS,
      },
      h(Icon, { name: icon, size: 3.5 }),
      h(
        Text,
        { as: "span", lineHeight: 1, fontWeight: WEEKEND.includes(weekday(day.date)) ? "normal" : "semibold" },
        shortDay(day.date),
      ),
    ),
  );
}

// the month where one begins, else the day alone
const shortDay = (date) =>
  date.endsWith("-01") ? shortDate(date).split(" ")[1] : String(Number(date.slice(-2)));
