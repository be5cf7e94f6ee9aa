"""A 3D network trained from the volumes themselves, as one more classifier of scikit-learn."""
