"""Words for people: names, durations and sizes, text of unknown origin."""
