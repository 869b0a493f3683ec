"""Files that other systems take: conversions for advertising platforms, audiences for nurturing tools."""
