"""What every stage and command stands on: where things lie and how they are written, SQL, and work on all cores."""
