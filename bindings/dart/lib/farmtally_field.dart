/// FarmTally's field core: weighs, records and syncs farmers' deliveries, with or without network.
///
/// Start with [FieldClient.open].
library;

export 'src/generated/farmtally_ffi.dart';
export 'src/grams.dart';
export 'src/money.dart';
export 'src/watch.dart';
