"""The one place where programs are run."""
