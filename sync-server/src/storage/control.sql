-- Organisation of each device and enrolment code.

CREATE TABLE organisations (
    organisation_id BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE routes (
    key             BLOB NOT NULL PRIMARY KEY,   -- a device's id, or the SHA-256 of an enrolment code
    organisation_id BLOB NOT NULL
) STRICT, WITHOUT ROWID;
