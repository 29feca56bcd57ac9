// What an operator can do. The buttons are only shown to who may; the server asks again.
import { Button, Flex, h, useState } from "./airflow.js";
import { ActionDialog } from "./action_dialog.js";

const OPEN = ["waiting", "at_risk", "not_configured", "unknown"];

/** Action → words, and when it makes sense. */
const OF_SOURCE = {
  "mark-ready": { label: "Mark ready", does: "count as ready", states: [...OPEN, "missed"] },
  skip: { label: "Skip", does: "not be waited for", states: OPEN },
  extend: { label: "Extend deadline", does: "have a later deadline", states: [...OPEN, "missed"], until: true },
};
const OF_FLOW = {
  publish: {
    label: "Publish again",
    does: "be started by itself, if it missed its launch",
    fits: ({ launch, run }) => launch && !run,
  },
  rerun: { label: "Rerun", does: "run once more", fits: ({ run }) => run },
};

export function SourceActions({ source, onDone, size = "sm" }) {
  const fitting = Object.entries(OF_SOURCE).filter(([, { states }]) => states.includes(source.state));
  return h(Bar, {
    allowed: source.can_act,
    kind: "source",
    name: source.name,
    date: source.business_date,
    fitting,
    onDone,
    size,
  });
}

export function FlowActions({ flow, onDone, size = "sm" }) {
  const fitting = Object.entries(OF_FLOW).filter(([, { fits }]) => fits(flow));
  return h(Bar, {
    allowed: flow.can_act,
    kind: "flow",
    name: flow.dag_id,
    date: flow.business_date,
    fitting,
    onDone,
    size,
  });
}

function Bar({ allowed, kind, name, date, fitting, onDone, size }) {
  const [open, setOpen] = useState(null);
  if (!allowed || !fitting.length) return null;
  const done = () => {
    setOpen(null);
    onDone();
  };
  return h(
    Flex,
    { gap: 2, wrap: "wrap", role: "group", "aria-label": `Actions on ${name} for ${date}` },
    fitting.map(([action, { label }]) =>
      h(Button, { key: action, size, variant: "outline", onClick: () => setOpen(action) }, `${label}…`),
    ),
    open &&
      h(ActionDialog, {
        kind,
        name,
        date,
        action: open,
        words: { ...OF_SOURCE, ...OF_FLOW }[open],
        onClose: () => setOpen(null),
        onDone: done,
      }),
  );
}
