// Placeholder: the board is written elsewhere. Airflow takes the component from this global.
const Board = () => globalThis.React.createElement("p", null, "The readiness board is not built yet.");
globalThis.Readiness = Board;
globalThis.AirflowPlugin = Board;
