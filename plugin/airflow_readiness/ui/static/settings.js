// Settings in force and their history: when logs count, and what else is said of a source.
import { Box, Text, h } from "./airflow.js";
import { Facts, Mono, Panel, Table, When } from "./parts.js";

// a time of the clock, with or without its seconds
const hour = (time) => (typeof time === "string" ? time.slice(0, 5) : time);

const ON_DEADLINE = { run: "flows start without it", skip: "flows are skipped", fail: "flows fail" };
const ON_LATE = { ignore: "recorded", rerun: "flows run again" };

/** What one row says, as pairs of name and value; what it does not say is left out. */
function said(setting) {
  const { deadline, read_from: readFrom, log_count: count, calendar, owner, description } = setting;
  return [
    deadline && ["Deadline", hour(deadline)],
    deadline && ["Logs count from", hour(readFrom) ?? "midnight"],
    count && ["Logs needed", count],
    setting.on_deadline && ["At its deadline", ON_DEADLINE[setting.on_deadline] ?? setting.on_deadline],
    setting.on_late && ["When late", ON_LATE[setting.on_late] ?? setting.on_late],
    calendar && ["Due on", [calendar].flat().join(", ")],
    owner && ["Owner", owner],
    description && ["About", description],
  ].filter(Boolean);
}

export function SettingsPanel({ settings, history, zone }) {
  const when = (at) => (at ? h(When, { at, zone, date: "-" }) : "now");
  const by = ({ set_by: setBy, scope }) => (scope ? `${setBy} (${scope})` : setBy);
  return h(
    Panel,
    { title: "Settings" },
    settings
      ? h(Facts, { items: [...said(settings), ["Set by", by(settings)], ["Since", when(settings.valid_from)]] })
      : h(
          Text,
          { fontSize: "sm" },
          "Nobody has set any: the deployment's defaults hold. Set them at release with ",
          h(Mono, null, "select readiness.set_log_settings(…)"),
          ".",
        ),
    history.length > 0 &&
      h(
        Box,
        { mt: 3 },
        h(Table, {
          label: "History of the settings",
          head: ["From", "To", "Set by", "What"],
          rows: history.map((each) => [
            when(each.valid_from),
            when(each.valid_to),
            by(each),
            said(each)
              .map(([name, value]) => `${name.toLowerCase()} ${value}`)
              .join(", "),
          ]),
        }),
      ),
  );
}
