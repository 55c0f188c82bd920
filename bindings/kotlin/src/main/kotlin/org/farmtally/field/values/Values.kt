/**
 * Ids, codes and units as types of their own. They stand in a package of their own because the generated package has aliases of the
 * same names: apps import `org.farmtally.field.DeliveryId` and the others from there.
 */
package org.farmtally.field.values

/** What a person saw when they decided; hand it in as it is. */
@JvmInline
value class Basis(val value: String) {
    override fun toString() = value
}

/** A calendar day, year-month-day. */
@JvmInline
value class BusinessDate(val value: String) {
    override fun toString() = value
}

/** The code of a centre, such as `KOLAR`. */
@JvmInline
value class CentreCode(val value: String) {
    override fun toString() = value
}

/** Names a change of a record. */
@JvmInline
value class ChangeHash(val value: String) {
    override fun toString() = value
}

/** The code of a commodity, such as `TOMATO`. */
@JvmInline
value class CommodityCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class DeliveryId(val value: String) {
    override fun toString() = value
}

/** The code of an installation, as receipts carry it. */
@JvmInline
value class DeviceCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class DeviceId(val value: String) {
    override fun toString() = value
}

/** The id of a record of any kind. */
@JvmInline
value class DocumentId(val value: String) {
    override fun toString() = value
}

@JvmInline
value class FarmerId(val value: String) {
    override fun toString() = value
}

@JvmInline
value class GrantId(val value: String) {
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

@JvmInline
value class ReceiptNumber(val value: String) {
    override fun toString() = value
}

/** Where a record belongs: `c/CENTRE`, or `c/CENTRE/SEASON`. */
@JvmInline
value class Scope(val value: String) {
    override fun toString() = value
}

/** The code of a season. */
@JvmInline
value class SeasonCode(val value: String) {
    override fun toString() = value
}

@JvmInline
value class UserId(val value: String) {
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
