"""What each operation must answer, and what the tree is afterwards: Linux on ext4, in Python.

Permissions are not modelled: the performer holds the capabilities that pass them. All else that an
operation changes is: owners by setgid and credentials, modes by umask and default ACL, privileges
that a write or a change of owner takes away.
"""

from tests.workload.model.model import Model
from tests.workload.model.tree import Inode, Refused, Tree

__all__ = ["Inode", "Model", "Refused", "Tree"]
