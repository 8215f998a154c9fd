"""Makers of operations, by what they are about, each with its weight."""

from tests.workload.making import attributes, files, looking, names

WEIGHTS = (*names.WEIGHTS, *files.WEIGHTS, *attributes.WEIGHTS, *looking.WEIGHTS)
