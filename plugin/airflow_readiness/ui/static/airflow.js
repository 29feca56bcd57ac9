// The one place that touches what Airflow 3.3 shares: React, its router, Chakra, and the paths of its pages.
const { React, ReactRouterDOM, ChakraUI } = globalThis;
const missing = Object.entries({ React, ReactRouterDOM, ChakraUI }).filter(([, value]) => !value);
if (missing.length) {
  throw new Error(
    `this Airflow does not share ${missing.map(([name]) => name).join(", ")}; the board needs 3.3`,
  );
}

export const h = React.createElement;
export const { Component, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } = React;
export const { useSyncExternalStore } = React;
export const { useParams } = ReactRouterDOM;
export const { Box, Button, Flex, Heading, Text, chakra } = ChakraUI;

/** Outline of whatever has the keyboard's focus. */
export const FOCUS = {
  _focusVisible: { outline: "2px solid", outlineColor: "brand.focusRing", outlineOffset: "2px" },
};

const RouterLink = chakra(ReactRouterDOM.Link);

/** A link inside Airflow; `to` is relative to Airflow's base, wherever that lies. */
export function Link(props) {
  return h(RouterLink, { color: "fg.info", _hover: { textDecoration: "underline" }, ...FOCUS, ...props });
}

/** Path of Airflow itself, with a slash at its end. */
export const AIRFLOW = new URL(".", document.baseURI).pathname;

const part = encodeURIComponent;
/** The same date on every page; without one, today. */
const on = (date) => (date ? `?date=${part(date)}` : "");

export const pathTonight = (date) => `/plugin/readiness${on(date)}`;
export const pathSource = (name) => `/plugin/readiness/sources/${part(name)}`;
export const pathFlow = (dagId, date) => `/dags/${part(dagId)}/plugin/readiness-dag${on(date)}`;
export const pathRun = (dagId, runId) => `/dags/${part(dagId)}/runs/${part(runId)}`;
