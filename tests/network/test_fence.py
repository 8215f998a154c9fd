"""What a guardian finds of a module's addresses, whatever the host allows."""

import subprocess
import sys

import pytest

LOOKS = """
import subprocess, sys, time
from pathlib import Path
from mirror.adapters.addresses import is_here
for family in ("ipv4", "ipv6"):
    Path(f"/proc/sys/net/{family}/ip_nonlocal_bind").write_text(sys.argv[1])
for words in (
    "link set lo up",
    "link add d0 type veth peer name d1",
    "link set d1 up",
    "link set d0 up",
    "address add 10.98.0.1/24 dev d0",
    "address add 10.98.0.9/24 dev d0",
    "address add fd98::1/64 dev d0 nodad",
    "address add fd98::9/64 dev d0 nodad preferred_lft 0",
    "route add default via 10.98.0.254",
):
    subprocess.run(["ip", *words.split()], check=True)
here = ("10.98.0.1", "10.98.0.9", "fd98::1", "fd98::9")
elsewhere = ("10.98.0.8", "192.0.2.1", "fd98::8", "2001:db8::1")
# The kernel makes an address of IPv6 its own some time after it was added.
end = time.monotonic() + 60
while not all(is_here(each) for each in here):
    assert time.monotonic() < end
    time.sleep(0.01)
assert [is_here(each) for each in elsewhere] == [False] * 4
"""


@pytest.mark.parametrize("nonlocal_bind", ["0", "1"])
def test_only_what_the_kernel_has_is_here(nonlocal_bind: str) -> None:
    command = ["unshare", "--net", sys.executable, "-c", LOOKS, nonlocal_bind]
    subprocess.run(command, check=True)
