"""What a backup waits for and keeps to: leases on a source, shared limits, rates."""
