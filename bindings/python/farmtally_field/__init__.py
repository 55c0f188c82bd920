"""FarmTally's field core: weighs, records and syncs farmers' deliveries, with or without network. Start with `FieldClient.open`."""

from .generated import farmtally_ffi
from .generated.farmtally_ffi import *
from .client import FieldClient, Paper

__all__ = []
__all__ += farmtally_ffi.__all__
# Internal names of the generated code.
for _plumbing in ("FieldClientProtocol", "KeyStoreImpl", "PaperProtocol", "PrinterImpl", "TransportImpl"):
    __all__.remove(_plumbing)
    del globals()[_plumbing]
