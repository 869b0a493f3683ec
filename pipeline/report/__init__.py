"""The stage ``report``: the summary as text, the pages, and the private ones of leads."""
