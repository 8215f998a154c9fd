"""Heartbeats between the two nodes of a module: authenticated, replay-proof, not late by load."""

from mirror.adapters.heartbeats.settings import HeartbeatSettings, Lan
from mirror.adapters.heartbeats.statistics import LanStatistics
from mirror.adapters.heartbeats.thread import HeartbeatListener, Heartbeats

__all__ = ["HeartbeatListener", "HeartbeatSettings", "Heartbeats", "Lan", "LanStatistics"]
