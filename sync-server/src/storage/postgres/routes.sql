-- What is known before it is known whose rows may be seen: no row level security.

-- Organisations that are whole: one gets its number before its first row.
CREATE TABLE listed (
    organisation_id BYTEA NOT NULL PRIMARY KEY
);

-- Which organisation a device or an enrolment code belongs to.
CREATE TABLE routes (
    key             BYTEA NOT NULL PRIMARY KEY,  -- a device's id, or the SHA-256 of an enrolment code
    organisation_id BYTEA NOT NULL
);
