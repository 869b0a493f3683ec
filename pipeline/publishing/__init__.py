"""What ``leadcast publish`` does: pages and lists to folders, and the digest by mail."""
