"""What is stored, byte for byte: manifests, frames, checksums, encryption."""
