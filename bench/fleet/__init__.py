"""What ``make bench-operator`` measures: the operator with many pipelines, on the real control plane."""
