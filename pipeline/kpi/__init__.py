"""What leads cost and what they bring, by where they came from: the KPIs of marketing, over the log as it was known."""
