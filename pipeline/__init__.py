"""The only code that touches disk, databases, MLflow, the CRM or the clock."""
