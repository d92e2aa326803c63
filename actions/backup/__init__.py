"""The verb backup."""
