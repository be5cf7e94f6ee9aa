"""In-fold steps and models by name, as study recipes write them."""
