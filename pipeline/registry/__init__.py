"""MLflow: a run for each model, and the registry of champions."""
