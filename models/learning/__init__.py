"""From labelled rows to a calibrated model."""
