"""What all features stand on: the one schema, lengths of time, and the errors that a user can mend."""
