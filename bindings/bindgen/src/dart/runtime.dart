// --- what every generated library needs ------------------------------------------------------------------------------

/// A call into Rust failed: a panic, or a value that Rust did not accept. The object that was called remains usable.
final class RustPanic implements Exception {
  const RustPanic(this.message);

  final String message;

  @override
  String toString() => 'RustPanic: $message';
}

/// The call was cancelled through its [CancelToken].
final class CallCancelled implements Exception {
  const CallCancelled();

  @override
  String toString() => 'CallCancelled';
}

/// The native library could not be loaded, or is not the one this file was generated from.
final class LibraryException implements Exception {
  const LibraryException(this.message);

  final String message;

  @override
  String toString() => 'LibraryException: $message';
}

/// Cancels the asynchronous calls with this token: their Rust futures are dropped, and they throw [CallCancelled].
///
/// A call that is already done keeps its result. Calls made with a token after its [cancel] are not started.
final class CancelToken {
  final Set<void Function()> _calls = {};
  bool _isCancelled = false;

  bool get isCancelled => _isCancelled;

  void cancel() {
    _isCancelled = true;
    for (final call in _calls.toList()) {
      call();
    }
  }
}

final class _RustBuffer extends _ffi.Struct {
  @_ffi.Uint64()
  external int capacity;
  @_ffi.Uint64()
  external int len;
  external _ffi.Pointer<_ffi.Uint8> data;
}

final class _RustCallStatus extends _ffi.Struct {
  @_ffi.Int8()
  external int code;
  external _RustBuffer error;
}

final class _ForeignBytes extends _ffi.Struct {
  @_ffi.Int32()
  external int len;
  external _ffi.Pointer<_ffi.Uint8> data;
}

typedef _Status = _ffi.Pointer<_RustCallStatus>;

// One status block for all calls of the isolate: no call starts while another one runs.
final _Status _status = _firstMemory(_ffi.sizeOf<_RustCallStatus>()).cast();

// The library's memory functions need a status block already, so the system allocates this one.
_ffi.Pointer<_ffi.Void> _firstMemory(int size) {
  final library = _io.Platform.isWindows ? _ffi.DynamicLibrary.open('ole32.dll') : _ffi.DynamicLibrary.process();
  return library.lookupFunction<_ffi.Pointer<_ffi.Void> Function(_ffi.IntPtr), _ffi.Pointer<_ffi.Void> Function(int)>(
    _io.Platform.isWindows ? 'CoTaskMemAlloc' : 'malloc',
  )(size);
}

T _call<T>(T Function(_Status) call, [_Read<Exception>? readError]) {
  final status = _status.ref;
  status.code = 0;
  status.error.capacity = 0;
  status.error.len = 0;
  status.error.data = _ffi.nullptr;
  final result = _handOver(() => call(_status));
  if (status.code != 0) throw _failure(status, readError);
  return result;
}

// Frees the values that were lowered for a call that is not made yet.
final List<void Function()> _lowered = [];

// Lowers values and passes their ownership to Rust. If one is refused, those before it are freed.
T _handOver<T>(T Function() body) {
  final start = _lowered.length;
  try {
    return body();
  } catch (_) {
    for (final free in _lowered.sublist(start)) {
      free();
    }
    rethrow;
  } finally {
    _lowered.length = start;
  }
}

Exception _failure(_RustCallStatus status, _Read<Exception>? readError) {
  switch (status.code) {
    case 1 when readError != null:
      return _lift(_taken(status.error), readError);
    case 3:
      return const CallCancelled();
    default:
      final message = status.error.len == 0 ? 'no message' : _liftString(_taken(status.error));
      return RustPanic(message);
  }
}

// Copies the words, because freeing the buffer uses the status block that they are in.
_RustBuffer _taken(_RustBuffer buffer) => _ffi.Struct.create<_RustBuffer>()
  ..capacity = buffer.capacity
  ..len = buffer.len
  ..data = buffer.data;

// --- buffers ---------------------------------------------------------------------------------------------------------

_RustBuffer _copied(Uint8List bytes) {
  if (bytes.isEmpty) return _ffi.Struct.create<_RustBuffer>();
  final buffer = _call((status) => _rustbufferAlloc(bytes.length, status));
  buffer.data.asTypedList(bytes.length).setAll(0, bytes);
  buffer.len = bytes.length;
  return buffer;
}

_RustBuffer _lowerBytes(Uint8List bytes) {
  final buffer = _copied(bytes);
  _lowered.add(() => _freeBuffer(buffer));
  return buffer;
}

void _freeBuffer(_RustBuffer buffer) {
  if (buffer.capacity != 0) _call((status) => _rustbufferFree(buffer, status));
}

Uint8List _view(_RustBuffer buffer) => buffer.len == 0 ? Uint8List(0) : buffer.data.asTypedList(buffer.len);

// Half of a surrogate pair has no form in UTF-8, and Dart's encoder would replace it with U+FFFD.
Uint8List _encoded(String text) {
  for (var i = 0; i < text.length; i++) {
    final unit = text.codeUnitAt(i);
    if (unit & 0xf800 != 0xd800) continue;
    final isPair = unit < 0xdc00 && i + 1 < text.length && text.codeUnitAt(i + 1) & 0xfc00 == 0xdc00;
    if (!isPair) throw ArgumentError('the text has half of a surrogate pair at $i');
    i++;
  }
  return _convert.utf8.encode(text);
}

// Keeps a U+FEFF at the start, which Dart's decoder drops.
String _decoded(Uint8List bytes) {
  final text = _convert.utf8.decode(bytes);
  final isMarked = bytes.length >= 3 && bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf;
  return isMarked ? '\ufeff$text' : text;
}

_RustBuffer _lowerString(String value) => _lowerBytes(_encoded(value));

String _liftString(_RustBuffer buffer) {
  try {
    return _decoded(_view(buffer));
  } finally {
    _freeBuffer(buffer);
  }
}

_RustBuffer _lower<T>(T value, _Write<T> write) {
  final writer = _Writer();
  write(writer, value);
  return _lowerBytes(writer.taken());
}

T _lift<T>(_RustBuffer buffer, _Read<T> read) {
  try {
    final reader = _Reader(_view(buffer));
    final value = read(reader);
    reader.end();
    return value;
  } finally {
    _freeBuffer(buffer);
  }
}

// Lends bytes for one call.
R _lend<R>(Uint8List bytes, R Function(_ForeignBytes) use) {
  final buffer = _copied(bytes);
  try {
    return use(
      _ffi.Struct.create<_ForeignBytes>()
        ..len = bytes.length
        ..data = buffer.data,
    );
  } finally {
    _freeBuffer(buffer);
  }
}

typedef _Read<T> = T Function(_Reader);
typedef _Write<T> = void Function(_Writer, T);

final class _Reader {
  _Reader(this._bytes) : _data = ByteData.sublistView(_bytes);

  final Uint8List _bytes;
  final ByteData _data;
  int _at = 0;

  int _advance(int size) {
    final at = _at;
    _at += size;
    return at;
  }

  Uint8List bytes(int length) => Uint8List.fromList(Uint8List.sublistView(_bytes, _advance(length), _at));

  void end() {
    if (_at != _bytes.length) throw StateError('${_bytes.length - _at} bytes are left over: generate this file anew');
  }
}

final class _Writer {
  Uint8List _bytes = Uint8List(64);
  late ByteData _data = ByteData.sublistView(_bytes);
  int _end = 0;

  int _reserve(int size) {
    final at = _end;
    _end += size;
    if (_end > _bytes.length) {
      final length = _end > 2 * _bytes.length ? _end : 2 * _bytes.length;
      _bytes = Uint8List(length)..setRange(0, at, _bytes);
      _data = ByteData.sublistView(_bytes);
    }
    return at;
  }

  Uint8List taken() => Uint8List.sublistView(_bytes, 0, _end);
}

int _inRange(int value, int min, int max) {
  if (value < min || value > max) throw RangeError.range(value, min, max);
  return value;
}

int _u8(int value) => _inRange(value, 0, 0xff);
int _i8(int value) => _inRange(value, -0x80, 0x7f);
int _u16(int value) => _inRange(value, 0, 0xffff);
int _i16(int value) => _inRange(value, -0x8000, 0x7fff);
int _u32(int value) => _inRange(value, 0, 0xffffffff);
int _i32(int value) => _inRange(value, -0x80000000, 0x7fffffff);

// Refuses numbers above 2^63 - 1, the largest Dart integer, in both directions.
int _u64(int value) {
  if (value < 0) throw RangeError('$value is no unsigned integer that fits into a Dart int');
  return value;
}

int _readU8(_Reader r) => r._data.getUint8(r._advance(1));
int _readI8(_Reader r) => r._data.getInt8(r._advance(1));
int _readU16(_Reader r) => r._data.getUint16(r._advance(2));
int _readI16(_Reader r) => r._data.getInt16(r._advance(2));
int _readU32(_Reader r) => r._data.getUint32(r._advance(4));
int _readI32(_Reader r) => r._data.getInt32(r._advance(4));
int _readU64(_Reader r) => _u64(_readI64(r));
int _readI64(_Reader r) => r._data.getInt64(r._advance(8));
double _readF32(_Reader r) => r._data.getFloat32(r._advance(4));
double _readF64(_Reader r) => r._data.getFloat64(r._advance(8));
bool _readBool(_Reader r) => _readI8(r) != 0;


void _writeU8(_Writer w, int v) {
  final at = w._reserve(1);
  w._data.setUint8(at, _u8(v));
}

void _writeI8(_Writer w, int v) {
  final at = w._reserve(1);
  w._data.setInt8(at, _i8(v));
}

void _writeU16(_Writer w, int v) {
  final at = w._reserve(2);
  w._data.setUint16(at, _u16(v));
}

void _writeI16(_Writer w, int v) {
  final at = w._reserve(2);
  w._data.setInt16(at, _i16(v));
}

void _writeU32(_Writer w, int v) {
  final at = w._reserve(4);
  w._data.setUint32(at, _u32(v));
}

void _writeI32(_Writer w, int v) {
  final at = w._reserve(4);
  w._data.setInt32(at, _i32(v));
}

void _writeU64(_Writer w, int v) {
  final at = w._reserve(8);
  w._data.setInt64(at, _u64(v));
}

void _writeI64(_Writer w, int v) {
  final at = w._reserve(8);
  w._data.setInt64(at, v);
}

void _writeF32(_Writer w, double v) {
  final at = w._reserve(4);
  w._data.setFloat32(at, v);
}

void _writeF64(_Writer w, double v) {
  final at = w._reserve(8);
  w._data.setFloat64(at, v);
}

void _writeBool(_Writer w, bool v) => _writeI8(w, v ? 1 : 0);

Uint8List _readBytes(_Reader r) => r.bytes(_readI32(r));

void _writeBytes(_Writer w, Uint8List v) {
  _writeI32(w, v.length);
  final at = w._reserve(v.length);
  w._bytes.setAll(at, v);
}

String _readString(_Reader r) {
  final length = _readI32(r);
  return _decoded(Uint8List.sublistView(r._bytes, r._advance(length), r._at));
}

void _writeString(_Writer w, String v) => _writeBytes(w, _encoded(v));

// The seconds have the sign, as in Rust: the last second before 1970 cannot be expressed there. Dart has microseconds,
// and 100 million days before and after 1970.
DateTime _readTimestamp(_Reader r) {
  final seconds = _inRange(_readI64(r), -8640000000000, 8640000000000);
  final micros = _readU32(r) ~/ 1000;
  return DateTime.fromMicrosecondsSinceEpoch(seconds * 1000000 + (seconds < 0 ? -micros : micros), isUtc: true);
}

void _writeTimestamp(_Writer w, DateTime v) {
  final micros = v.microsecondsSinceEpoch;
  if (micros < 0 && micros > -1000000) throw RangeError('$v: the last second before 1970 cannot be passed');
  _writeI64(w, micros ~/ 1000000);
  _writeU32(w, micros.abs() % 1000000 * 1000);
}

Duration _readDuration(_Reader r) {
  final seconds = _readU64(r);
  if (seconds > 0x7fffffffffffffff ~/ 1000000 - 1) throw RangeError('$seconds seconds do not fit into a Duration');
  return Duration(seconds: seconds, microseconds: _readU32(r) ~/ 1000);
}

void _writeDuration(_Writer w, Duration v) {
  if (v.isNegative) throw RangeError('$v: Rust has no negative durations');
  _writeU64(w, v.inSeconds);
  _writeU32(w, v.inMicroseconds % 1000000 * 1000);
}

T? _readOptional<T>(_Reader r, _Read<T> read) => _readI8(r) == 0 ? null : read(r);

void _writeOptional<T>(_Writer w, T? v, _Write<T> write) {
  _writeI8(w, v == null ? 0 : 1);
  if (v != null) write(w, v);
}

List<T> _readList<T>(_Reader r, _Read<T> read) => List.generate(_readI32(r), (_) => read(r));

void _writeAll<T>(_Writer w, Iterable<T> v, _Write<T> write) {
  _writeI32(w, v.length);
  for (final item in v) {
    write(w, item);
  }
}

Set<T> _readSet<T>(_Reader r, _Read<T> read) => _readList(r, read).toSet();

Map<K, V> _readMap<K, V>(_Reader r, _Read<K> readKey, _Read<V> readValue) {
  final map = <K, V>{};
  for (var left = _readI32(r); left > 0; left--) {
    final key = readKey(r);
    map[key] = readValue(r);
  }
  return map;
}

void _writeMap<K, V>(_Writer w, Map<K, V> v, _Write<K> writeKey, _Write<V> writeValue) {
  _writeI32(w, v.length);
  v.forEach((key, value) {
    writeKey(w, key);
    writeValue(w, value);
  });
}

// --- equality by content ---------------------------------------------------------------------------------------------

bool _equal(Object? a, Object? b) {
  if (identical(a, b)) return true;
  if (a is List && b is List) {
    if (a.length != b.length) return false;
    for (var i = 0; i < a.length; i++) {
      if (!_equal(a[i], b[i])) return false;
    }
    return true;
  }
  if (a is Set && b is Set) return a.length == b.length && a.every((item) => b.any((other) => _equal(item, other)));
  if (a is Map && b is Map) {
    return a.length == b.length && a.keys.every((key) => b.containsKey(key) && _equal(a[key], b[key]));
  }
  return a == b;
}

int _hash(Object? a) => switch (a) {
  List() => Object.hashAll(a.map(_hash)),
  Set() => Object.hashAllUnordered(a.map(_hash)),
  Map() => Object.hashAllUnordered(a.entries.map((entry) => Object.hash(_hash(entry.key), _hash(entry.value)))),
  _ => a.hashCode,
};

// --- objects ---------------------------------------------------------------------------------------------------------

// A handle that Dart owns: freed once, by dispose or after the object is unreachable.
final class _Handle {
  _Handle(Object owner, this._type, int value, this._clone, this._free) : _value = value {
    _finalizer.attach(owner, (value, _free), detach: this);
  }

  static final _finalizer = Finalizer<(int, void Function(int, _Status))>((handle) {
    _call((status) => handle.$2(handle.$1, status));
  });

  bool get isDisposed => _value == null;

  final String _type;
  final int Function(int, _Status) _clone;
  final void Function(int, _Status) _free;
  int? _value;

  // Returns a clone for a call; Rust drops it at the end of the call.
  int clone() {
    final value = _value;
    if (value == null) throw StateError('$_type was disposed of');
    final clone = _call((status) => _clone(value, status));
    _lowered.add(() => _call((status) => _free(clone, status)));
    return clone;
  }

  void dispose() {
    final value = _value;
    if (value == null) return;
    _value = null;
    _finalizer.detach(this);
    _call((status) => _free(value, status));
  }
}

// --- asynchronous calls ----------------------------------------------------------------------------------------------

typedef _Continuation = _ffi.Void Function(_ffi.Uint64, _ffi.Int8);
typedef _Poll = void Function(int, _ffi.Pointer<_ffi.NativeFunction<_Continuation>>, int);

// The function that Rust calls when a future can be polled again. It is Dart's own function that posts an integer to a port, because, unlike a
// callback, it may be called after the isolate has ended: it does nothing then. Of the integer only the lowest byte is defined, because Rust
// passes no more.
final _ffi.Pointer<_ffi.NativeFunction<_Continuation>> _postReady = _findPostInteger();

final class _DartApi extends _ffi.Struct {
  @_ffi.Int32()
  external int major;
  @_ffi.Int32()
  external int minor;
  external _ffi.Pointer<_DartApiEntry> functions;
}

final class _DartApiEntry extends _ffi.Struct {
  external _ffi.Pointer<_ffi.Uint8> name;
  external _ffi.Pointer<_ffi.NativeFunction<_Continuation>> function;
}

_ffi.Pointer<_ffi.NativeFunction<_Continuation>> _findPostInteger() {
  const wanted = 'Dart_PostInteger';
  final functions = _ffi.NativeApi.initializeApiDLData.cast<_DartApi>().ref.functions;
  for (var i = 0; functions[i].name != _ffi.nullptr; i++) {
    final name = functions[i].name;
    var length = 0;
    while (length < wanted.length && name[length] == wanted.codeUnitAt(length)) {
      length++;
    }
    if (length == wanted.length && name[length] == 0) return functions[i].function;
  }
  throw const LibraryException('this version of Dart has no $wanted');
}

final class _FutureFunctions<F> {
  const _FutureFunctions(this.poll, this.complete, this.cancel, this.free);

  final _Poll poll;
  final F Function(int, _Status) complete;
  final void Function(int) cancel;
  final void Function(int) free;
}

Future<T> _callAsync<F, T>(
  int Function() start,
  _FutureFunctions<F> functions,
  T Function(F) lift,
  CancelToken? token, [
  _Read<Exception>? readError,
]) async {
  if (token != null && token._isCancelled) throw const CallCancelled();
  final future = _handOver(start);
  void cancel() => functions.cancel(future);
  token?._calls.add(cancel);
  // Keeps the isolate alive until it is closed.
  final port = _isolate.RawReceivePort();
  try {
    int ready;
    do {
      final completer = Completer<int>();
      port.handler = (int posted) => completer.complete(posted & 0xff);
      functions.poll(future, _postReady, port.sendPort.nativePort);
      ready = await completer.future;
    } while (ready != 0);
    return lift(_call((status) => functions.complete(future, status), readError));
  } finally {
    token?._calls.remove(cancel);
    functions.free(future);
    port.close();
  }
}

// --- traits that Dart implements -------------------------------------------------------------------------------------

// Handles of Dart objects are odd. The middle bits differ between isolates.
final int _foreignBase = (_math.Random.secure().nextInt(0x3fffffff) + 1) << 32;
final Map<int, Object> _foreign = {};
int _lastForeign = 0;

int _addForeign(Object object) {
  final handle = _foreignBase + 2 * ++_lastForeign + 1;
  _foreign[handle] = object;
  return handle;
}

int _lowerForeign(Object object) {
  final handle = _addForeign(object);
  _lowered.add(() => _freeForeign(handle));
  return handle;
}

T _foreignObject<T>(int handle) {
  final object = _foreign[handle];
  if (object is T) return object;
  throw StateError('this isolate has no $T of that handle: a trait must be implemented in one isolate only');
}

// Takes an argument from Rust now; an error in reading it is thrown when the value is asked for.
T Function() _lifted<T>(T Function() lift) {
  try {
    final value = lift();
    return () => value;
  } catch (error) {
    return () => throw error;
  }
}

typedef _ForeignFree = _ffi.Void Function(_ffi.Uint64);
typedef _ForeignClone = _ffi.Uint64 Function(_ffi.Uint64);

void _freeForeign(int handle) => _foreign.remove(handle);

int _cloneForeign(int handle) => _addForeign(_foreignObject<Object>(handle));

const int _noHandle = 0;

// Gives Rust the table of a trait's functions: free, clone, then the methods. It stays for the life of the process.
void _registerTrait(void Function(_ffi.Pointer<_ffi.Void>) init, List<_ffi.NativeCallable<Function>> methods) {
  final free = _ffi.NativeCallable<_ForeignFree>.listener(_freeForeign);
  final clone = _ffi.NativeCallable<_ForeignClone>.isolateLocal(_cloneForeign, exceptionalReturn: _noHandle);
  final callables = [free, clone, ...methods];
  final size = callables.length * _ffi.sizeOf<_ffi.IntPtr>();
  final table = _call((status) => _rustbufferAlloc(size, status)).data.cast<_ffi.IntPtr>();
  for (final (index, callable) in callables.indexed) {
    callable.keepIsolateAlive = false;
    table[index] = callable.nativeFunction.address;
  }
  init(table.cast());
}

void _fail(_RustCallStatus status, int code, _RustBuffer error) {
  status.code = code;
  status.error = error;
}

void _failUnexpected(_RustCallStatus status, Object error) => _fail(status, 2, _copied(_convert.utf8.encode(_said(error))));

// Returns the text of an error, whose toString is the app's own code and may throw.
String _said(Object error) {
  try {
    return '$error';
  } catch (_) {
    return 'an error whose toString() throws';
  }
}

// --- loading ---------------------------------------------------------------------------------------------------------

_ffi.DynamicLibrary? _loaded;

_ffi.DynamicLibrary get _library => _loaded ??= _checked(_open(null));

void _load(String? path, _ffi.DynamicLibrary? library) {
  if (_loaded != null) throw StateError('$_libraryName is already loaded');
  _loaded = _checked(library ?? _open(path));
}

// Opens the library where the platforms' usual build tools put it.
_ffi.DynamicLibrary _open(String? path) {
  final failures = <String>[];
  _ffi.DynamicLibrary? attempt(String what, _ffi.DynamicLibrary Function() open) {
    try {
      final library = open();
      if (library.providesSymbol(_contractVersionSymbol)) return library;
      failures.add('$what: not $_libraryName, or not built with UniFFI');
    } on ArgumentError catch (error) {
      failures.add('$what: ${error.message}');
    }
    return null;
  }

  final names = [
    if (path != null)
      path
    else if (_io.Platform.isWindows)
      '$_libraryName.dll'
    else if (_io.Platform.isMacOS || _io.Platform.isIOS) ...[
      '$_libraryName.framework/$_libraryName',
      'lib$_libraryName.dylib',
    ] else
      'lib$_libraryName.so',
  ];
  for (final name in names) {
    final library = attempt(name, () => _ffi.DynamicLibrary.open(name));
    if (library != null) return library;
  }
  if (path == null) {
    final library = attempt('this process', _ffi.DynamicLibrary.process);
    if (library != null) return library;
  }
  throw LibraryException('$_libraryName was not found. Tried: ${failures.join('; ')}');
}

_ffi.DynamicLibrary _checked(_ffi.DynamicLibrary library) {
  final version = library.lookupFunction<_ffi.Uint32 Function(), int Function()>(_contractVersionSymbol)();
  if (version != _contractVersion) {
    throw LibraryException(
      '$_libraryName was built with another UniFFI: contract $version, this file needs $_contractVersion. '
      'Generate this file from the library that is shipped.',
    );
  }
  for (final MapEntry(key: symbol, value: checksum) in _checksums.entries) {
    if (!library.providesSymbol(symbol) ||
        library.lookupFunction<_ffi.Uint16 Function(), int Function()>(symbol)() != checksum) {
      throw LibraryException(
        '$_libraryName has another interface than this file: $symbol. Generate this file from the library that is shipped.',
      );
    }
  }
  return library;
}
