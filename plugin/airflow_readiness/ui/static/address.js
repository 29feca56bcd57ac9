// What a page is asked for, in its address. Airflow builds a plugin's page anew whenever its router moves
// (3.3.2 wraps it in a new lazy component), which takes the focus away: so within a page the address is
// changed beside the router. Its own marks in the history stay, and "back" works.
import { useSyncExternalStore } from "./airflow.js";

const listeners = new Set();

function subscribe(listener) {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

/**
 * The query of the address, and how to change it: null takes a name out.
 * `replace`: "back" does not come here again.
 */
export function useQuery() {
  const query = new URLSearchParams(useSyncExternalStore(subscribe, () => location.search));
  return [query, change];
}

function change(values, { replace = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const address = location.pathname + (query.size ? `?${query}` : "");
  const { state } = history;
  if (replace) history.replaceState(state, "", address);
  else
    history.pushState(
      { ...state, idx: (state?.idx ?? 0) + 1, key: crypto.randomUUID?.() ?? `${Math.random()}` },
      "",
      address,
    );
  listeners.forEach((listener) => listener());
}
