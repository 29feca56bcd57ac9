// A reason, what will start, the same as a command, and only then the deed.
import { FOCUS, Box, Button, Flex, Text, chakra, h, useEffect, useId, useState } from "./airflow.js";
import { announce } from "./announce.js";
import { get, pathOf, post } from "./api.js";
import { Dialog } from "./dialog.js";
import { Banner, Copied, Mono, Muted } from "./parts.js";

const MAX_REASON = 1000;
const WRITTEN = /^([01]?\d|2[0-3]):[0-5]\d$/;
// the browser's own field for times asks for AM and PM where the rest of the page does not
const HOUR = {
  required: true,
  pattern: WRITTEN.source,
  placeholder: "06:45",
  title: "HH:MM",
  inputMode: "numeric",
  autoComplete: "off",
};
const FIELD = {
  w: "full",
  px: 3,
  py: 2,
  fontSize: "sm",
  bg: "transparent",
  borderWidth: "1px",
  borderColor: "border.emphasized",
  borderRadius: "md",
  ...FOCUS,
};

export function ActionDialog({ kind, name, date, action, words, onClose, onDone }) {
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const complete = !words.until || WRITTEN.test(until);
  const ready = reason.trim() && complete;
  const preview = usePreview({ action, [kind]: name, date, until }, complete);

  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setRefusal("");
    try {
      const body = { reason: reason.trim(), ...(words.until && { until }) };
      const { done } = await post(pathOf([`${kind}s`, name, date, action]), body);
      announce(done);
      onDone(done);
    } catch (error) {
      setRefusal(error.message);
      setBusy(false);
    }
  };

  return h(
    Dialog,
    { title: `${words.label}: ${name}`, onClose },
    h(Text, { fontSize: "sm" }, h(Mono, null, name), ` will ${words.does} for ${date}.`),
    h(
      chakra.form,
      { onSubmit: submit, display: "flex", flexDirection: "column", gap: 4 },
      words.until &&
        h(Labelled, {
          text: "New deadline",
          hint: "in the deployment's time zone",
          field: (id) =>
            h(chakra.input, {
              ...FIELD,
              id,
              ...HOUR,
              value: until,
              w: "9rem",
              onChange: (event) => setUntil(event.target.value),
            }),
        }),
      h(Labelled, {
        text: "Reason",
        hint: "kept with your name in the audit log",
        field: (id) =>
          h(chakra.textarea, {
            ...FIELD,
            id,
            rows: 2,
            required: true,
            maxLength: MAX_REASON,
            value: reason,
            onChange: (event) => setReason(event.target.value),
          }),
      }),
      h(Preview, { preview, waiting: !complete }),
      refusal && h(Banner, { level: "error", title: "It was not done", mt: 0 }, refusal),
      h(
        Flex,
        { gap: 2, justify: "flex-end" },
        h(Button, { size: "sm", variant: "outline", type: "button", onClick: onClose }, "Cancel"),
        h(
          Button,
          { size: "sm", colorPalette: "brand", type: "submit", disabled: !ready || busy },
          busy ? "…" : words.label,
        ),
      ),
    ),
  );
}

function Labelled({ text, hint, field }) {
  const id = useId();
  return h(
    Box,
    null,
    h(
      chakra.label,
      { htmlFor: id, fontSize: "sm", fontWeight: "medium", display: "block", mb: 1 },
      text,
      " ",
      h(Muted, { fontSize: "xs", fontWeight: "normal" }, hint),
    ),
    field(id),
  );
}

/** What the server says would happen: `{data}`, `{error}` or neither yet. */
function usePreview(query, complete) {
  const [preview, setPreview] = useState({});
  const path = pathOf(["preview"], query);
  useEffect(() => {
    if (!complete) return undefined;
    const asked = new AbortController();
    setPreview({});
    get(path, asked.signal).then(
      (data) => setPreview({ data }),
      (error) => asked.signal.aborted || setPreview({ error }),
    );
    return () => asked.abort();
  }, [path, complete]);
  return preview;
}

function Preview({ preview: { data, error }, waiting }) {
  if (waiting) return h(Muted, null, "Choose a time to see what will start.");
  if (error)
    return h(Banner, { level: "warning", title: "What will start is not known", mt: 0 }, error.message);
  if (!data) return h(Muted, { role: "status" }, "Looking what will start …");
  return h(
    Box,
    { "data-testid": "preview" },
    h(Text, { fontSize: "sm", fontWeight: "medium" }, data.text),
    data.starts.some((dagId) => !data.text.includes(dagId)) &&
      h(
        chakra.ul,
        { ps: 5, mt: 1, listStyleType: "disc", fontSize: "sm", maxH: 32, overflowY: "auto" },
        data.starts.map((dagId) => h("li", { key: dagId }, dagId)),
      ),
    h(
      Flex,
      { mt: 3, gap: 2, align: "flex-start", justify: "space-between" },
      h(Mono, { fontSize: "xs", color: "fg.muted", pt: 1 }, data.cli),
      h(Copied, { text: data.cli, label: "Copy as CLI" }),
    ),
  );
}
