// Reads one address again and again: every five seconds, not while the tab is hidden, slower while it fails.
import { useCallback, useEffect, useRef, useState } from "./airflow.js";
import { get } from "./api.js";
import { setServerNow } from "./time.js";

const EVERY = 5000;
const SLOWEST = 30000;

/** The last answers: Airflow may build the page anew at any time, and it should not begin with nothing then. */
const remembered = new Map();
const MEMORY = 20;

function remember(path, answer) {
  remembered.delete(path);
  remembered.set(path, answer);
  if (remembered.size > MEMORY) remembered.delete(remembered.keys().next().value);
}

/**
 * What an address answers, kept fresh.
 * `data` stays while a later look fails (`error`) or another address is asked (`loading`).
 */
export function usePolled(path) {
  const [state, setState] = useState(
    () => remembered.get(path) ?? { path: null, data: null, error: null, at: null },
  );
  const again = useRef(() => {});

  useEffect(() => {
    let timer;
    let ended = false;
    let asked = null;
    let wait = EVERY;

    const look = async () => {
      clearTimeout(timer);
      asked?.abort();
      const mine = (asked = new AbortController());
      try {
        const data = await get(path, mine.signal);
        if (ended || mine.signal.aborted) return;
        if (data.now) setServerNow(data.now);
        wait = EVERY;
        const answer = { path, data, error: null, at: Date.now() };
        remember(path, answer);
        setState(answer);
      } catch (error) {
        if (ended || mine.signal.aborted) return;
        wait = Math.min(wait * 2, SLOWEST);
        // what was known of another address is no answer to this one
        setState((last) => ({ ...last, path, data: last.path === path ? last.data : null, error }));
      }
      if (!document.hidden) timer = setTimeout(look, wait);
    };
    const onVisible = () => (document.hidden ? clearTimeout(timer) : look());

    again.current = look;
    document.addEventListener("visibilitychange", onVisible);
    look();
    return () => {
      ended = true;
      clearTimeout(timer);
      asked?.abort();
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [path]);

  const reload = useCallback(() => again.current(), []);
  return { ...state, loading: state.path !== path, reload };
}
