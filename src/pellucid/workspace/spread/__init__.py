"""Distributed evaluation of a version: on the cores of this machine, or on a cluster."""
