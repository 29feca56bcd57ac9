// The browser's own dialog: it keeps the focus inside, gives it back, and Escape closes it.
import { Flex, Heading, chakra, h, useId, useLayoutEffect, useRef } from "./airflow.js";

export function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  const heading = useId();
  // before it is taken out of the page, or the focus would have nothing to go back from
  useLayoutEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return h(
    chakra.dialog,
    {
      ref: box,
      "aria-labelledby": heading,
      m: "auto",
      p: 5,
      w: "calc(100vw - 2rem)",
      maxW: "32rem",
      maxH: "calc(100vh - 2rem)",
      overflowY: "auto",
      bg: "bg",
      color: "fg",
      borderWidth: "1px",
      borderColor: "border.emphasized",
      borderRadius: "xl",
      shadow: "lg",
      css: { "&::backdrop": { background: "blackAlpha.600" } },
      onCancel: (event) => {
        event.preventDefault();
        onClose();
      },
      // Airflow has shortcuts of single letters: what is typed here is not for it
      onKeyDown: (event) => event.stopPropagation(),
    },
    h(
      Flex,
      { direction: "column", gap: 4 },
      h(Heading, { as: "h2", id: heading, size: "md" }, title),
      children,
    ),
  );
}
