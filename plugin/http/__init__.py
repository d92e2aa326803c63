"""The API as HTTP: application, guard, routes, problem documents."""
