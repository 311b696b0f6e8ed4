"""Two servers, one over the other: a branch library whose books an archive keeps."""
