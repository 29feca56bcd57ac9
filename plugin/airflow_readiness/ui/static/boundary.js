// An error in our own drawing stays in our own panel: without this, Airflow replaces its whole page.
import { Box, Button, Component, Text, h } from "./airflow.js";

export class Boundary extends Component {
  state = { error: null };

  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    if (!this.state.error) return this.props.children;
    return h(
      Box,
      { role: "alert", p: 6, maxW: "prose" },
      h(Text, { fontWeight: "semibold", mb: 1 }, "The readiness board stumbled over what it was to show."),
      h(Text, { color: "fg.muted", fontFamily: "mono", fontSize: "sm", mb: 3 }, `${this.state.error}`),
      h(
        Text,
        { mb: 3 },
        "Launches do not depend on it. “airflow readiness status” shows the same on a terminal.",
      ),
      h(Button, { size: "sm", variant: "outline", onClick: () => this.setState({ error: null }) }, "Try again"),
    );
  }
}
