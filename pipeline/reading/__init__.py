"""From files and databases to typed cells: raw rows, each with its line, and what their texts say."""
