"""What was known of a lead, and when. Pure: no files, clock, MLflow or CRM."""
