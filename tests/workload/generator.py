"""The next operation, from the seed and the model: mostly possible ones, some that must fail."""

from tests.workload.choices import Choices
from tests.workload.making import WEIGHTS
from tests.workload.operations import Operation

_MAKERS = [maker for maker, _ in WEIGHTS]
_WEIGHTS = [weight for _, weight in WEIGHTS]


class Generator(Choices):
    """An endless sequence; the same for the same seed and the same outcomes."""

    def next(self) -> Operation:
        """The next operation; the caller tells the model of it before it asks again."""
        while True:
            maker = self.random.choices(_MAKERS, _WEIGHTS)[0]
            operation = maker(self)
            if operation is not None:
                return operation
