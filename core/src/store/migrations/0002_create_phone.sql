-- What only a phone keeps.

CREATE TABLE installation (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    user_id          BLOB NOT NULL,            -- who is using the phone
    secret_key       BLOB NOT NULL,
    server_url       TEXT NOT NULL,
    server_key       BLOB NOT NULL,
    challenge        BLOB NOT NULL,
    server_time_ms   INTEGER NOT NULL,         -- the server's clock at the last contact
    synced_at_ms     INTEGER,                  -- this device's clock at the last complete sync
    certificate      BLOB NOT NULL,            -- CBOR of protocol::message::Certificate
    server_head      INTEGER NOT NULL DEFAULT 0, -- the last bundle up to which the server said to have all of this device
    server_epoch     INTEGER NOT NULL DEFAULT 0, -- how many recoveries it had begun then
    safe_copy        INTEGER NOT NULL DEFAULT 0, -- when the copy was made, by the server's clock, up to which the server's copies are safe
    exported_at_ms   INTEGER                   -- this device's clock when all that was unanswered was last packed for a carrier; says nothing
                                               -- about its arrival
) STRICT;

CREATE TABLE counters (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    receipts    INTEGER NOT NULL,
    loads       INTEGER NOT NULL,
    farmers     INTEGER NOT NULL,
    actions     INTEGER NOT NULL,              -- one for each transaction of a person
    hybrid_ms   INTEGER NOT NULL,
    hybrid_counter INTEGER NOT NULL,
    idle_ms     INTEGER NOT NULL,              -- without contact with the server, up to seen_at_ms
    seen_at_ms  INTEGER NOT NULL               -- the wall clock when this row was last written
) STRICT;
INSERT INTO counters VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0);

CREATE TABLE drafts (
    delivery_id BLOB NOT NULL PRIMARY KEY,
    version     INTEGER NOT NULL,
    body        BLOB NOT NULL                  -- CBOR of records::draft::Draft
) STRICT, WITHOUT ROWID;

-- Own changes until the server has acknowledged each by name.
CREATE TABLE outbox (
    outbox        INTEGER PRIMARY KEY,
    action        INTEGER NOT NULL,            -- changes of one action belong together
    author_id     BLOB NOT NULL,
    grant_id      BLOB NOT NULL,
    device_cursor INTEGER NOT NULL,
    document_id   BLOB NOT NULL,
    kind          INTEGER NOT NULL,
    scope         TEXT NOT NULL,
    change        BLOB NOT NULL,               -- stripped
    created_at_ms INTEGER NOT NULL,
    bundle_seq    INTEGER,                     -- null: not yet sealed
    entry         INTEGER,                     -- its number in the bundle
    held_code     TEXT,                        -- null: not held by the server
    held_reason   TEXT,
    missing       INTEGER                      -- changes that the server waits for before it judges this one, 0 if for an upgrade; null: it does not wait
) STRICT;
CREATE INDEX outbox_by_document ON outbox (document_id);
CREATE INDEX outbox_by_bundle ON outbox (bundle_seq, entry) WHERE bundle_seq IS NOT NULL;

CREATE TABLE bundles (
    bundle_seq  INTEGER PRIMARY KEY,
    hash        BLOB NOT NULL UNIQUE,
    device_id   BLOB NOT NULL,                 -- who sealed it: this phone, by the id that it had then
    bytes       BLOB NOT NULL,
    is_answered INTEGER NOT NULL,              -- each entry was logged or held
    was_sent    INTEGER NOT NULL,
    refused     TEXT                           -- the server refused the bundle as a whole
) STRICT;
CREATE INDEX bundles_unanswered ON bundles (bundle_seq) WHERE is_answered = 0;

CREATE TABLE log_cursors (
    scope     TEXT NOT NULL PRIMARY KEY,
    seq       INTEGER NOT NULL,
    chain     BLOB NOT NULL,
    wants_own INTEGER NOT NULL                 -- 1: the documents were purged, so the phone's own entries must come with their bytes
) STRICT, WITHOUT ROWID;

-- What was read of each log; an own entry only as its place in a bundle.
CREATE TABLE log_tail (
    scope TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    chain BLOB NOT NULL,                       -- after this entry
    entry BLOB,                                -- CBOR of protocol::message::FrameEntry; null: only the place is known
    own_bundle BLOB,                           -- the bundle that has the bytes, for an entry of this device
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX log_tail_by_bundle ON log_tail (own_bundle) WHERE own_bundle IS NOT NULL;

-- What the server signed about the place up to which a scope was read.
CREATE TABLE evidence (
    scope    TEXT NOT NULL PRIMARY KEY,
    seq      INTEGER NOT NULL,
    evidence BLOB NOT NULL                     -- CBOR of protocol::repair::Evidence
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    scope    TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    decision BLOB NOT NULL,                    -- as it came
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;

-- Entries that could not be applied here, verbatim; tried again after the document's next entry.
CREATE TABLE set_aside (
    scope       TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    document_id BLOB,
    entry       BLOB NOT NULL,                 -- CBOR of protocol::message::FrameEntry
    reason      TEXT NOT NULL,
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX set_aside_by_document ON set_aside (document_id);

-- Work that the office sent back to its author, until the author has seen it.
CREATE TABLE rejected (
    rejected       INTEGER PRIMARY KEY,
    author_id      BLOB NOT NULL,
    document_id    BLOB NOT NULL,
    scope          TEXT NOT NULL,
    change         BLOB NOT NULL,              -- stripped, as it was sent
    draft_id       BLOB,                       -- the draft that was made of it
    reason         TEXT NOT NULL,
    rejected_at_ms INTEGER NOT NULL,
    is_dismissed    INTEGER NOT NULL DEFAULT 0  -- seen by a person; kept, so that the same decision read again does nothing
) STRICT;

-- Parcels of other phones that this one carries to the server.
CREATE TABLE carried (
    carried       INTEGER PRIMARY KEY,
    parcel_id     BLOB NOT NULL UNIQUE,        -- SHA-256 of the bytes
    bytes         BLOB,                        -- null: the server refused it; the note is left until the next such one
    refused       TEXT                         -- why
) STRICT;

-- The key of an enrolment under way: a repeated request must show the same one.
CREATE TABLE enrolling (
    code       TEXT NOT NULL PRIMARY KEY,     -- another code gets a key of its own
    secret_key BLOB NOT NULL
) STRICT;
