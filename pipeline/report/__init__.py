"""The stage ``report``: the summary as text, the page, and the private page of leads."""
