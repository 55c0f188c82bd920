"""FarmTally's field core: what farmers deliver is weighed, recorded and synced, with or without network.

Owns: what apps import, which is the generated names and the layer of `client`. Begin with `FieldClient.open`.
"""

from .generated import farmtally_ffi
from .generated.farmtally_ffi import *
from .client import FieldClient

__all__ = []
__all__ += farmtally_ffi.__all__
# The plumbing of the generated code.
for _plumbing in ("FieldClientProtocol", "KeyStoreImpl", "TransportImpl"):
    __all__.remove(_plumbing)
    del globals()[_plumbing]
