"""The engine: what decides when a pipeline is looked at, and carries out what was rendered."""
