"""Engine restic: snapshots in restic's own repository."""
