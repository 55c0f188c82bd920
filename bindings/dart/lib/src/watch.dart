/// The reads of a client as streams.
///
/// Owns the topics of each read, and the loop that waits for events. Events carry no data, so a slow listener only
/// skips values that were replaced. Invariants: a client has one loop while it has a listener; reads of one stream do
/// not overlap; what changes during a read is read again.
library;

import 'dart:async';

import 'generated/farmtally_ffi.dart';

/// Reads as streams: each emits the current value when it gets a listener, and again after each change. A slow
/// listener gets the newest value. An error of a read is emitted, and the stream continues; [FieldClient.shutDown]
/// ends it.
extension FieldClientWatch on FieldClient {
  /// [FieldClient.session], now and after each change.
  Stream<Session?> watchSession() => watch(const {Topic.session, Topic.reference}, session);

  /// [FieldClient.users], now and after each change.
  Stream<List<PhoneUser>> watchUsers() => watch(const {Topic.session, Topic.reference}, users);

  /// [FieldClient.access], now and after each change.
  Stream<Access> watchAccess() => watch(const {Topic.session, Topic.sync}, access);

  /// [FieldClient.reference], now and after each change.
  Stream<Reference> watchReference() => watch(const {Topic.reference}, reference);

  /// [FieldClient.today], now and after each change.
  Stream<Today> watchToday(CentreCode centre, {BusinessDate? date}) =>
      watch(const {Topic.deliveries, Topic.loads, Topic.sync}, () => today(centre, date: date));

  /// [FieldClient.deliveries], now and after each change.
  Stream<DeliveryPage> watchDeliveries(DeliveryQuery query) =>
      watch(const {Topic.deliveries, Topic.sync}, () => deliveries(query));

  /// [FieldClient.delivery], now and after each change.
  Stream<DeliveryView> watchDelivery(DeliveryId deliveryId) =>
      watch(const {Topic.deliveries, Topic.inbox, Topic.sync}, () => delivery(deliveryId));

  /// [FieldClient.farmers], now and after each change.
  Stream<FarmerPage> watchFarmers(FarmerQuery query) => watch(const {Topic.farmers}, () => farmers(query));

  /// [FieldClient.loads], now and after each change.
  Stream<LoadPage> watchLoads(LoadQuery query) => watch(const {Topic.loads, Topic.sync}, () => loads(query));

  /// [FieldClient.farmer], now and after each change.
  Stream<FarmerView> watchFarmer(FarmerId farmerId) =>
      watch(const {Topic.farmers, Topic.inbox, Topic.sync}, () => farmer(farmerId));

  /// [FieldClient.load], now and after each change.
  Stream<LoadView> watchLoad(LoadId loadId) => watch(const {Topic.loads, Topic.inbox, Topic.sync}, () => load(loadId));

  /// [FieldClient.inbox], now and after each change.
  Stream<InboxPage> watchInbox() => watch(const {Topic.inbox}, inbox);

  /// [FieldClient.syncStatus], now and after each change.
  Stream<SyncStatus> watchSyncStatus() => watch(const {Topic.sync}, syncStatus);

  /// Progress of the running sync; null while none runs.
  Stream<SyncProgress?> watchSyncProgress() =>
      _Watch(_Pump.of(this), const {Topic.sync}, (event) async => event.progress).stream;

  /// Another read, now and after each change of the topics: `client.watch({Topic.records}, () => client.lorryRequests(query))`.
  Stream<T> watch<T>(Set<Topic> topics, Future<T> Function() read) =>
      _Watch(_Pump.of(this), topics, (_) => read()).stream;
}

/// The loop of a client that waits for events.
final class _Pump {
  _Pump(this._client);

  /// A client never leaves its isolate, so this is also one loop for each isolate.
  factory _Pump.of(FieldClient client) => _all[client] ??= _Pump(client);

  static final _all = Expando<_Pump>();

  final FieldClient _client;
  final Set<_Watch<Object?>> _watches = {};

  /// Cancels the running loop, if any.
  CancelToken? _running;

  /// The last event of that loop.
  Event? _last;

  void add(_Watch<Object?> watch) {
    _watches.add(watch);
    if (_running == null) {
      _run(_running = CancelToken());
    } else if (_last case final last?) {
      watch.tell(Event(sequence: last.sequence, topics: Topic.values, progress: last.progress));
    }
  }

  void remove(_Watch<Object?> watch) {
    _watches.remove(watch);
    if (_watches.isEmpty) _stop();
  }

  void _stop() {
    _running?.cancel();
    _running = _last = null;
  }

  Future<void> _run(CancelToken token) async {
    try {
      while (true) {
        // The first event comes at once and has all topics.
        final event = await _client.waitForEvent(_last?.sequence ?? 0, cancelToken: token);
        if (_running != token) return;
        if (event == null) break;
        _last = event;
        for (final watch in _watches) {
          watch.tell(event);
        }
      }
    } catch (error, trace) {
      // The loop was cancelled, because no listener is left.
      if (_running != token) return;
      for (final watch in _watches) {
        watch.fail(error, trace);
      }
    }
    final ended = _watches.toList();
    _watches.clear();
    _stop();
    for (final watch in ended) {
      watch.end();
    }
  }
}

/// One stream of a client.
final class _Watch<T> {
  _Watch(this._pump, this._topics, this._read);

  final _Pump _pump;
  final Set<Topic> _topics;
  final Future<T> Function(Event event) _read;
  late final StreamController<T> _values = StreamController(
    onListen: () => _pump.add(this),
    onResume: _catchUp,
    onCancel: () => _pump.remove(this),
  );

  /// The last event that no read has followed yet.
  Event? _due;
  bool _isReading = false;

  /// Skips a value that equals the one before.
  Stream<T> get stream => _values.stream.distinct();

  void tell(Event event) {
    if (!event.topics.any(_topics.contains)) return;
    _due = event;
    _catchUp();
  }

  void fail(Object error, StackTrace trace) => _values.addError(error, trace);

  void end() => _values.close();

  /// Reads what is due; a paused stream reads when it is resumed.
  Future<void> _catchUp() async {
    if (_isReading) return;
    _isReading = true;
    while (_due != null && _values.hasListener && !_values.isPaused) {
      final event = _due!;
      _due = null;
      try {
        final value = await _read(event);
        if (!_values.isClosed) _values.add(value);
      } on FieldShutDown {
        // The loop ends the stream.
      } catch (error, trace) {
        if (!_values.isClosed) _values.addError(error, trace);
      }
    }
    _isReading = false;
  }
}
