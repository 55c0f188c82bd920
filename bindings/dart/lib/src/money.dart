/// An amount in minor units of the organisation's currency, either sign.
extension type const Money(int value) {
  Money operator +(Money other) => Money(value + other.value);

  Money operator -(Money other) => Money(value - other.value);

  bool operator <(Money other) => value < other.value;

  bool operator <=(Money other) => value <= other.value;

  bool operator >(Money other) => value > other.value;

  bool operator >=(Money other) => value >= other.value;
}
