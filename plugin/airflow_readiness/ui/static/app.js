// The component that Airflow draws: with a DAG it is that DAG's tab, without one it is the page of the navigation.
import { h, useParams } from "./airflow.js";
import { LiveRegion } from "./announce.js";
import { Boundary } from "./boundary.js";
import { FlowTab } from "./flow_tab.js";
import { Banner, Page } from "./parts.js";
import { SourcePage } from "./source_page.js";
import { Tonight } from "./tonight.js";

export function App({ dagId }) {
  return h(Boundary, { key: dagId ?? "" }, h(LiveRegion), dagId ? h(FlowTab, { key: dagId, dagId }) : h(Pages));
}

function Pages() {
  const rest = useParams()["*"] ?? "";
  const [kind, ...name] = rest.split("/");
  if (!kind) return h(Tonight);
  if (kind === "sources" && name.length) return h(SourcePage, { key: rest, name: name.join("/") });
  return h(Page, null, h(Banner, { level: "info", title: "There is no such page here" }, rest));
}
