"""Ratios against peers, one script a workload."""
