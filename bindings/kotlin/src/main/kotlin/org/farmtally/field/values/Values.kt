/**
 * Ids and units as types of their own. They stand in a package of their own because the generated package has aliases of the
 * same names: apps import `org.farmtally.field.DeliveryId` and the others from there.
 */
package org.farmtally.field.values

/** What a person saw when they decided; hand it in as it is. */
@JvmInline
value class Basis(val value: String) {
    override fun toString() = value
}

@JvmInline
value class DeliveryId(val value: String) {
    override fun toString() = value
}

@JvmInline
value class FarmerId(val value: String) {
    override fun toString() = value
}

@JvmInline
value class LoadId(val value: String) {
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
