"""The three roles, each with all rights of the one before it. SafeKit's names."""

from enum import StrEnum


class Role(StrEnum):
    """Monitor sees; Control starts and stops; Admin changes configuration, cluster and users."""

    MONITOR = "Monitor"
    CONTROL = "Control"
    ADMIN = "Admin"

    def covers(self, needed: "Role") -> bool:
        """Tell whether this role has the rights of `needed`."""
        order = tuple(Role)
        return order.index(self) >= order.index(needed)
