/**
 * Value classes of ids, codes and units. The generated package has aliases of the same names, so they need a package of their own; apps
 * import the aliases, such as `org.farmtally.field.DeliveryId`.
 */
package org.farmtally.field.values

/** A record and the version of it that a person saw; pass it on unchanged. */
@JvmInline
value class Basis(val value: String) {
    override fun toString() = value
}

/** A calendar day, such as `2026-11-21`. */
@JvmInline
value class BusinessDate(val value: String) {
    override fun toString() = value
}

/** Code of a centre, such as `KOLAR`. */
@JvmInline
value class CentreCode(val value: String) {
    override fun toString() = value
}

/** Hash of a change of a record; pass it on unchanged. */
@JvmInline
value class ChangeHash(val value: String) {
    override fun toString() = value
}

/** Code of a commodity, such as `TOMATO`. */
@JvmInline
value class CommodityCode(val value: String) {
    override fun toString() = value
}

/** Code of a type of empty bag or crate, such as `CRATE`. */
@JvmInline
value class ContainerCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class DeliveryId(val value: String) {
    override fun toString() = value
}

/** Code of a device on receipts, such as `10`. */
@JvmInline
value class DeviceCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class DeviceId(val value: String) {
    override fun toString() = value
}

/** Id of a record of any kind. */
@JvmInline
value class DocumentId(val value: String) {
    override fun toString() = value
}

/** Code of a quality factor, such as `BROKEN`. */
@JvmInline
value class FactorCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class FarmerId(val value: String) {
    override fun toString() = value
}

/** Tag that an organisation gives farmers, such as `ORGANIC`. */
@JvmInline
value class FarmerTag(val value: String) {
    override fun toString() = value
}

@JvmInline
value class GrantId(val value: String) {
    override fun toString() = value
}

/** Code of a scale, weighbridge or moisture meter, such as `SCALE7`. */
@JvmInline
value class InstrumentCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class LoadId(val value: String) {
    override fun toString() = value
}

@JvmInline
value class LorryPlate(val value: String) {
    override fun toString() = value
}

@JvmInline
value class OrganisationId(val value: String) {
    override fun toString() = value
}

/** Code of a book of numbered paper forms, such as `BOOK17`. */
@JvmInline
value class PaperBookCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class ReceiptNumber(val value: String) {
    override fun toString() = value
}

/** Code of a scheme that certifies farmers or land, such as `ORGANIC`. */
@JvmInline
value class SchemeCode(val value: String) {
    override fun toString() = value
}

/** Scope of a record: `c/CENTRE`, or `c/CENTRE/SEASON`. */
@JvmInline
value class Scope(val value: String) {
    override fun toString() = value
}

/** Code of a season, such as `2026`. */
@JvmInline
value class SeasonCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class UserId(val value: String) {
    override fun toString() = value
}

/** Code of a grade, such as `A`. */
@JvmInline
value class GradeCode(val value: String) {
    override fun toString() = value
}

/** A weight in whole grams. */
@JvmInline
value class Grams(val value: Long) : Comparable<Grams> {
    operator fun plus(other: Grams) = Grams(Math.addExact(value, other.value))

    operator fun minus(other: Grams) = Grams(Math.subtractExact(value, other.value))

    override fun compareTo(other: Grams) = value.compareTo(other.value)

    override fun toString() = "$value g"
}

/** An amount in minor units of the organisation's currency, either sign. */
@JvmInline
value class Money(val value: Long) : Comparable<Money> {
    operator fun plus(other: Money) = Money(Math.addExact(value, other.value))

    operator fun minus(other: Money) = Money(Math.subtractExact(value, other.value))

    override fun compareTo(other: Money) = value.compareTo(other.value)

    override fun toString() = "$value"
}
