"""FOCUS as a specification: its columns, its rules, and files held against both."""
