"""The batch: open leads scored at a moment, by the model just trained or by the champion, and the history of scores."""
