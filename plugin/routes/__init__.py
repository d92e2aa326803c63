"""The addresses of the API: read the input, ask one function, answer plain data."""
