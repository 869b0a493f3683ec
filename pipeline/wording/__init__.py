"""What people read, in English and French: texts, numbers and dates by each language's rules."""
