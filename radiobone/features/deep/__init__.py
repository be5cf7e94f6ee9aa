"""Deep features: pictures of VOIs, sent through pretrained networks whose layers become columns of the table."""
