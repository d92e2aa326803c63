"""The contract suite: what every engine promises, asked of any engine, also of other packages."""
