// The business date that a page is about, in its address.
import { useQuery } from "./address.js";
import { FOCUS, Button, Flex, chakra, h } from "./airflow.js";
import { addDays, isDate } from "./time.js";

/** The date of the address (null: today), and how to go to another. */
export function useDate() {
  const [query, change] = useQuery();
  const asked = query.get("date");
  return [isDate(asked) ? asked : null, (date) => change({ date })];
}

export function DateChoice({ date, chosen, setDate }) {
  const button = (label, text, to) =>
    h(
      Button,
      {
        size: "sm",
        variant: "outline",
        px: 2.5,
        "aria-label": label,
        title: label,
        onClick: () => setDate(to),
      },
      text,
    );
  return h(
    Flex,
    { gap: 1, align: "center", role: "group", "aria-label": "Business date" },
    button("The day before", "‹", addDays(date, -1)),
    h(chakra.input, {
      ...FOCUS,
      type: "date",
      value: date,
      "aria-label": "Business date",
      h: 9,
      px: 2,
      fontSize: "sm",
      borderWidth: "1px",
      bg: "transparent",
      borderColor: "border.emphasized",
      borderRadius: "md",
      colorScheme: { _light: "light", _dark: "dark" },
      onChange: (event) => event.target.value && setDate(event.target.value),
    }),
    button("The day after", "›", addDays(date, 1)),
    chosen && h(Button, { size: "sm", variant: "ghost", onClick: () => setDate(null) }, "Today"),
  );
}
