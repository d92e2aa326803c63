"""Words that every room uses: errors, ids, durations, progress, manifests, processes."""
