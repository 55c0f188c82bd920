/// A weight in whole grams.
extension type const Grams(int value) {
  Grams operator +(Grams other) => Grams(value + other.value);

  Grams operator -(Grams other) => Grams(value - other.value);

  bool operator <(Grams other) => value < other.value;

  bool operator <=(Grams other) => value <= other.value;

  bool operator >(Grams other) => value > other.value;

  bool operator >=(Grams other) => value >= other.value;
}
