/// FarmTally's field core: what farmers deliver is weighed, recorded and synced, with or without network.
///
/// Begin with [FieldClient.open].
library;

export 'src/generated/farmtally_ffi.dart';
export 'src/grams.dart';
export 'src/watch.dart';
