"""Redis: the client, and the snapshot that is written there."""
