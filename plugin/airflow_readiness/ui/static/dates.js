// The business date that a page is about, in its address.
import { Button, Flex, chakra, h, useSearchParams } from "./airflow.js";
import { addDays, isDate } from "./time.js";

/** The date of the address (null: today), and how to go to another. */
export function useDate() {
  const [query, setQuery] = useSearchParams();
  const asked = query.get("date");
  const setDate = (date) =>
    setQuery((last) => {
      const next = new URLSearchParams(last);
      if (date) next.set("date", date);
      else next.delete("date");
      return next;
    });
  return [isDate(asked) ? asked : null, setDate];
}

export function DateChoice({ date, chosen, setDate }) {
  const button = (label, text, to) =>
    h(Button, { size: "sm", variant: "outline", px: 2.5, "aria-label": label, title: label, onClick: () => setDate(to) }, text);
  return h(
    Flex,
    { gap: 1, align: "center", role: "group", "aria-label": "Business date" },
    button("The day before", "‹", addDays(date, -1)),
    h(chakra.input, {
      type: "date", value: date, "aria-label": "Business date", h: 9, px: 2, fontSize: "sm", borderWidth: "1px", bg: "transparent",
      borderColor: "border.emphasized", borderRadius: "md", colorScheme: { _light: "light", _dark: "dark" },
      onChange: (event) => event.target.value && setDate(event.target.value),
    }),
    button("The day after", "›", addDays(date, 1)),
    chosen && h(Button, { size: "sm", variant: "ghost", onClick: () => setDate(null) }, "Today"),
  );
}
