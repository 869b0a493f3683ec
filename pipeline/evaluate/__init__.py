"""The stage ``evaluate``: what the model is worth on leads that came later, and what may be wrong."""
