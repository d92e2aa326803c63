"""
What is known of every schedule, kept between requests: read again where it changed, judged again when time says so.
"""
