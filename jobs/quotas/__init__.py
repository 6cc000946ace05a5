"""Quotas: where they stand, what a night plans, who is stopped, what the gate answers.

The gate is asked by schedulers, so what it imports (`standing`, `gate`) loads neither the warehouse
nor the config reader.
"""
