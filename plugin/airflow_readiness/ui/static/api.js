// The JSON API. Its address follows from where this file came from, so it holds under any sub-path.
import { AIRFLOW } from "./airflow.js";

const API = new URL("../api/", import.meta.url);

/** An answer that is no success; `status` 0: there was no answer. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const get = (path, signal) => call(path, { signal });

export const post = (path, body) =>
  call(path, {
    method: "POST",
    // the second header cannot be sent from another site without its being asked first
    headers: { "Content-Type": "application/json", "X-Requested-With": "readiness" },
    body: JSON.stringify(body),
  });

/** A path of the API; each part may hold anything. */
export const pathOf = (parts, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value);
  return parts.map(encodeURIComponent).join("/") + (given.length ? `?${new URLSearchParams(given)}` : "");
};

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(new URL(path, API), { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Airflow's API server does not answer", 0);
  }
  if (answer.status === 401) {
    location.assign(`${AIRFLOW}api/v2/auth/login?next=${encodeURIComponent(location.href)}`);
    throw new ApiError("you are not signed in", 401);
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(detailOf(body) ?? `the API answered ${answer.status}`, answer.status);
  return body;
}

// FastAPI tells of a malformed request by a list
function detailOf(body) {
  const detail = body?.detail;
  if (Array.isArray(detail)) return detail.map((each) => each.msg).join("; ");
  return typeof detail === "string" ? detail : undefined;
}
