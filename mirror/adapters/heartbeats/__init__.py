"""Heartbeats between the two nodes: authenticated, replay-proof, not late by load."""

from mirror.adapters.heartbeats.conversation import Heard
from mirror.adapters.heartbeats.settings import HeartbeatSettings, Lan
from mirror.adapters.heartbeats.statistics import LanStatistics
from mirror.adapters.heartbeats.thread import HeartbeatListener, Heartbeats, HeartbeatThread

__all__ = [
    "Heard",
    "HeartbeatListener",
    "HeartbeatSettings",
    "HeartbeatThread",
    "Heartbeats",
    "Lan",
    "LanStatistics",
]
