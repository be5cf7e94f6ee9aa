"""What outlives a fit: models without executable code, their manifests, and formulas."""
