"""Compiled loops over voxels, lines and matrices: plain arrays in, plain arrays out.

Modules here import numpy, numba and each other only, so that one hash of this folder tells whether kernels that
were compiled before are still right (`jit`).
"""
