// What changes on the page is told politely to those who do not see it.
import { chakra, h, useEffect, useRef, useState } from "./airflow.js";
import { stateOf } from "./states.js";

const listeners = new Set();

/** Have a screen reader say this when it is done with what it says. */
export const announce = (text) => listeners.forEach((listener) => listener(text));

/** Once on each page. */
export function LiveRegion() {
  const [text, setText] = useState("");
  useEffect(() => {
    listeners.add(setText);
    return () => listeners.delete(setText);
  }, []);
  return h(
    chakra.div,
    { srOnly: true, "aria-live": "polite", role: "status", "data-testid": "announced" },
    text,
  );
}

/** Tells of those whose state differs from the last look. `states`: name → state, or null while unknown. */
export function useAnnounced(states) {
  const last = useRef(null);
  useEffect(() => {
    if (!states) return;
    const before = last.current;
    last.current = states;
    if (!before) return;
    const changed = Object.entries(states).filter(([name, state]) => before[name] && before[name] !== state);
    if (!changed.length) return;
    const told = changed.slice(0, 3).map(([name, state]) => `${name} is ${stateOf(state).word}`);
    announce(told.join(", ") + (changed.length > 3 ? `, and ${changed.length - 3} more changed` : ""));
  }, [states]);
}
