"""Lets the tests below this folder import what they share: pytest puts the folder of a conftest on the path."""
