"""POSIX extended regular expressions, by the C library: exactly what SafeKit's attributes mean."""

import ctypes

_REG_EXTENDED = 1  # regex.h; the same numbers in glibc and musl
_REG_NOSUB = 8
_REGEX_BYTES = 512  # regex_t is 64 bytes in glibc; its size is not part of any promise
_LIBC = ctypes.CDLL(None)


class PosixRegex:
    """A compiled expression. Compiled once, never freed: there are a few in a configuration."""

    def __init__(self, expression: str) -> None:
        """Compile. Raises: ValueError with the library's own words."""
        self._compiled = ctypes.create_string_buffer(_REGEX_BYTES)
        code = _LIBC.regcomp(self._compiled, expression.encode(), _REG_EXTENDED | _REG_NOSUB)
        if code != 0:
            words = ctypes.create_string_buffer(256)
            _LIBC.regerror(code, self._compiled, words, len(words))
            raise ValueError(words.value.decode(errors="replace"))

    def found_in(self, text: bytes) -> bool:
        """Whether the expression matches anywhere in text, up to a zero byte."""
        return bool(_LIBC.regexec(self._compiled, text, 0, None, 0) == 0)
