"""A bookcase: books, their authors and their authors' countries, on real data."""
