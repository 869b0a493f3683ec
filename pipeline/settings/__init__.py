"""What ``params.yaml`` may say, one file a section, checked whole before any work begins."""
