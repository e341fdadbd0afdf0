"""CEL without the command line of its package, which would bring 200 modules of a terminal into every process."""

import sys
from types import ModuleType

__all__ = ["cel"]

_COMMAND_LINE = "cel.cli"

if "cel" not in sys.modules:
    # The package imports it first of all and does nothing else with it. Whoever asks for it later gets the real one.
    sys.modules[_COMMAND_LINE] = ModuleType(_COMMAND_LINE)
    try:
        import cel
    finally:
        del sys.modules[_COMMAND_LINE]
else:
    import cel
