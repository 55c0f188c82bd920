-- Tables that only a phone has.

CREATE TABLE installation (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    user_id          BLOB NOT NULL,            -- user who is using the phone
    secret_key       BLOB NOT NULL,
    server_url       TEXT NOT NULL,
    next_server_url  TEXT,                     -- address to which the server says that it moves; null if it has answered there
    server_key       BLOB NOT NULL,
    challenge        BLOB NOT NULL,
    server_time_ms   INTEGER NOT NULL,         -- server's clock at the last contact
    synced_at_ms     INTEGER,                  -- phone's time at the last complete sync; null before the first
    certificate      BLOB NOT NULL,            -- CBOR of protocol::message::Certificate
    server_head      INTEGER NOT NULL DEFAULT 0, -- newest bundle up to which the server has all of this device's, by its last statement
    server_epoch     INTEGER NOT NULL DEFAULT 0, -- the server's epoch in that statement
    safe_copy        INTEGER NOT NULL DEFAULT 0, -- newest safe copy: when it was made, in milliseconds by the server's clock; 0: none
    exported_at_ms   INTEGER                   -- phone's time at the last export; says nothing about its arrival
) STRICT;

CREATE TABLE counters (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    receipts    INTEGER NOT NULL,
    loads       INTEGER NOT NULL,
    farmers     INTEGER NOT NULL,
    actions     INTEGER NOT NULL,              -- number of actions
    hybrid_ms   INTEGER NOT NULL,
    hybrid_counter INTEGER NOT NULL,
    idle_ms     INTEGER NOT NULL,              -- time without contact with the server, up to when this row was last written
    phone_time_ms INTEGER NOT NULL,            -- phone's time then; 0 before the first contact
    boot_ms     INTEGER NOT NULL,              -- boot clock then
    boot_id     BLOB NOT NULL,                 -- the boot that it belongs to
    seen_at_ms  INTEGER NOT NULL,              -- wall clock then
    discards    INTEGER NOT NULL               -- number of drafts that people discarded
) STRICT;
INSERT INTO counters VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, zeroblob(16), 0, 0);

-- What users paid out of their leases on this phone. Follows from no document: those of a purged scope are gone, and a cancelled advance
-- returns nothing.
CREATE TABLE paid_out (
    device_id    BLOB NOT NULL,                -- this phone's id then: another id has other leases
    user_id      BLOB NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (device_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE drafts (
    delivery_id BLOB NOT NULL PRIMARY KEY,
    version     INTEGER NOT NULL,
    body        BLOB NOT NULL                  -- CBOR of records::draft::Draft
) STRICT, WITHOUT ROWID;

-- Own changes that the server has not yet acknowledged by name.
CREATE TABLE outbox (
    outbox        INTEGER PRIMARY KEY,
    action        INTEGER NOT NULL,            -- number of the action, whose changes belong together
    author_id     BLOB NOT NULL,
    grant_id      BLOB NOT NULL,
    device_cursor INTEGER NOT NULL,
    document_id   BLOB NOT NULL,
    kind          INTEGER NOT NULL,
    scope         TEXT NOT NULL,
    change        BLOB NOT NULL,               -- stripped
    created_at_ms INTEGER NOT NULL,
    bundle_seq    INTEGER,                     -- bundle that has it; null: not yet sealed
    entry         INTEGER,                     -- index in the bundle, from 0
    held_code     TEXT,                        -- null: not held
    held_reason   TEXT,
    missing       INTEGER                      -- changes that the server waits for; 0: it waits for an upgrade; null: not deferred
) STRICT;
CREATE INDEX outbox_by_document ON outbox (document_id);
CREATE INDEX outbox_by_bundle ON outbox (bundle_seq, entry) WHERE bundle_seq IS NOT NULL;

CREATE TABLE bundles (
    bundle_seq  INTEGER PRIMARY KEY,
    hash        BLOB NOT NULL UNIQUE,
    device_id   BLOB NOT NULL,                 -- this phone's id when it sealed the bundle
    bytes       BLOB NOT NULL,
    is_answered INTEGER NOT NULL,              -- 1: no entry waits for a verdict
    was_sent    INTEGER NOT NULL,
    refused     TEXT                           -- code with which the server refused the whole bundle; null: not refused
) STRICT;
CREATE INDEX bundles_unanswered ON bundles (bundle_seq) WHERE is_answered = 0;

CREATE TABLE log_cursors (
    scope     TEXT NOT NULL PRIMARY KEY,
    seq       INTEGER NOT NULL,
    chain     BLOB NOT NULL,
    wants_own INTEGER NOT NULL                 -- 1: documents were purged, so own entries must come with their bytes
) STRICT, WITHOUT ROWID;

-- Entries that were read of each log; an own entry only by its position in a bundle.
CREATE TABLE log_tail (
    scope TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    chain BLOB NOT NULL,                       -- chain hash after this entry
    entry BLOB,                                -- CBOR of protocol::message::FrameEntry; null: only the chain hash is kept
    own_bundle BLOB,                           -- for an own entry, hash of the bundle that has its bytes
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX log_tail_by_bundle ON log_tail (own_bundle) WHERE own_bundle IS NOT NULL;

-- What the server signed about the cursor up to which a scope was read.
CREATE TABLE evidence (
    scope    TEXT NOT NULL PRIMARY KEY,
    seq      INTEGER NOT NULL,
    evidence BLOB NOT NULL                     -- CBOR of protocol::repair::Evidence
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    scope    TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    decision BLOB NOT NULL,                    -- bytes as received
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;

-- Entries that this version could not apply, unchanged; tried again after the document's next entry, and when the store is opened.
CREATE TABLE set_aside (
    scope       TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    document_id BLOB,
    entry       BLOB NOT NULL,                 -- CBOR of protocol::message::FrameEntry
    reason      TEXT NOT NULL,
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX set_aside_by_document ON set_aside (document_id);

-- Changes that the office rejected, until their author dismisses them.
CREATE TABLE rejected (
    rejected       INTEGER PRIMARY KEY,
    author_id      BLOB NOT NULL,
    document_id    BLOB NOT NULL,
    scope          TEXT NOT NULL,
    change         BLOB NOT NULL,              -- stripped, as it was sent
    draft_id       BLOB,                       -- draft that was made of it, if any
    reason         TEXT NOT NULL,
    rejected_at_ms INTEGER NOT NULL,
    is_dismissed    INTEGER NOT NULL DEFAULT 0  -- 1: dismissed by a person; kept, so that reading the same ruling again does nothing
) STRICT;

-- Parcels of other phones that this one carries to the server.
CREATE TABLE carried (
    carried       INTEGER PRIMARY KEY,
    parcel_id     BLOB NOT NULL UNIQUE,        -- SHA-256 of the bytes
    bytes         BLOB,                        -- null: the server refused it; the row is kept until another one is refused
    refused       TEXT                         -- code with which the server refused it
) STRICT;

-- The key of an enrolment that has not finished: a repeated request must show the same key.
CREATE TABLE enrolling (
    code       TEXT NOT NULL PRIMARY KEY,     -- enrolment code; each has a key of its own
    secret_key BLOB NOT NULL
) STRICT;
