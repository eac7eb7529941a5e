"""Measured claims: the gateway beside its peers, core against core, in the same run.

A number taken alone on a shared machine says little. So every scenario runs all of its peers in turn, again and again,
each proxy on one core and the load with its origin on another, and what is published is the ratio of medians.
"""
