"""What a feature is: measures over filters and windows, declared as frozen data, and their words."""
