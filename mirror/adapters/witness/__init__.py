"""Witnesses: a third opinion when the two nodes do not hear each other (design 9)."""

from mirror.adapters.witness.etcd import EtcdSettings, EtcdWitness, WitnessState, WitnessValue
from mirror.adapters.witness.ping import PingWitness

__all__ = ["EtcdSettings", "EtcdWitness", "PingWitness", "WitnessState", "WitnessValue"]
