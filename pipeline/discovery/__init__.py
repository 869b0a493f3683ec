"""What ``leadcast init`` finds in a folder of exports, and the settings that it proposes."""
