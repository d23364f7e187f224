"""Alarms: rules as data, their states, and what keeps one from being told."""
