"""Figures of a version in the experiment tracker that follows the training."""

from pellucid.integrations.trackers.log_version import log_to

__all__ = ["log_to"]
