-- Parcels of other phones that this one carries to the server.
CREATE TABLE carried (
    carried       INTEGER PRIMARY KEY,
    parcel_id     BLOB NOT NULL UNIQUE,        -- SHA-256 of the bytes
    bytes         BLOB,                        -- null: the server refused it; the note is left until the next such one
    carried_at_ms INTEGER NOT NULL,
    refused       TEXT                         -- why
) STRICT;

-- This device's clock when all that was unanswered was last packed for a carrier; says nothing about its arrival.
ALTER TABLE installation ADD COLUMN exported_at_ms INTEGER;
