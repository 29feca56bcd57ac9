// What Airflow imports. It sets the component under both names by which Airflow looks for it, and
// never fails itself: a module of ours that cannot be loaded is said in our panel, not by Airflow's 404.
const { React } = globalThis;

let App;
try {
  ({ App } = await import("./app.js"));
} catch (error) {
  console.error("readiness: the board could not be loaded", error);
  App = () =>
    React.createElement(
      "div",
      { role: "alert", style: { padding: "1.5rem" } },
      React.createElement("strong", null, "The readiness board could not be loaded."),
      React.createElement("p", null, `${error}`),
      React.createElement(
        "p",
        null,
        "The rest of Airflow is not affected. `airflow readiness status` says the same.",
      ),
    );
}

globalThis.Readiness = App;
globalThis.AirflowPlugin = App;
