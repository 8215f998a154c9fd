"""Random work on a directory, from a seed, with a model of what must be there afterwards.

operations   the words: what an operation is, as it stands in a log
syscalls     the calls that Python's os module lacks
performer    a process that does what it is told, by ordinary system calls
hand         the other end: tells a performer, hears what came of it
content      bytes of a sparse file, as the model keeps them
acl          POSIX ACLs, as the model keeps them
model        what each operation must answer, and what the tree is then
choices      what there is to choose from: names, objects, open files, users
making       operations by what they are about, with their weights
generator    the next operation, from the seed and the model
worker       all of them: generate, perform, compare, keep account of what was acknowledged

`python -m tests.workload --seed 7 --count 2000 DIRECTORY` runs one seed; `--replay LOG` runs what
a log says. Seeds that found something are kept in seeds.txt with their story.
"""
