"""The ground that every room stands on: errors, configuration, files, hashes, batches."""
