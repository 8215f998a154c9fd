# cffi gives its two names no types that a checker could use; adapters/native.py, the only
# importer, gives every call a typed function.
from typing import Any

ffi: Any
lib: Any
