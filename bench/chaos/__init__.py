"""What ``make chaos`` does: an operator that looks after many pipelines while everything fails around it."""
