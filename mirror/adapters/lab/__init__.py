"""The lab: hosts on one machine, with their own disks, networks and power (design 12).

`client.Lab` is the door: the command line, the demo, the tests and the benchmarks all use it. What
is here is an adapter like any other: it makes and breaks hosts, and decides nothing about modules.

    client.py          the verbs; sends them to the keeper, runs commands inside hosts
    creation.py        a new lab: its name, its directory, its keeper
    module_setup.py    from two empty nodes to a module that runs as PRIM and SECOND
    cluster_files.py   cluster.xml, names, certificates
    status.py          what `lab status` says
    keeper.py          the process that owns a lab; everything dies with it
    sweeper.py         removes what a lab leaves, however it ended
    machine.py         one host as the keeper sees it: boot, power off, pause
    switch.py          bridges, cables, cuts
    disk.py            a host's disk; bad_disk.py is one that fails when asked
    host.py root.py    inside a host: its namespaces, its filesystem; init.py is its PID 1
    image.py           disk images
    cgroup.py          the control group of each host: freeze, kill
    plan.py            names and addresses; pure values
    linux.py           system calls that Python 3.11 lacks

What runs on the lab, for the demo and the tests, lies here too: load.py, ledger.py,
ledger_book.py, postgres_client.py, comparison.py.
"""
