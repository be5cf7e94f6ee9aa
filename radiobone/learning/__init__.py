"""scikit-learn parts for small, wide tables: selection, hierarchy, persistence."""
