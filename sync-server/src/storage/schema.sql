-- The server's own tables of one organisation; the tables of records are core's.

CREATE TABLE devices (
    device_id      BLOB NOT NULL PRIMARY KEY,
    device_code    INTEGER NOT NULL UNIQUE,
    public_key     BLOB NOT NULL UNIQUE,
    user_id        BLOB NOT NULL,
    model          TEXT NOT NULL,
    enrolled_at_ms INTEGER NOT NULL,
    seen_at_ms     INTEGER NOT NULL,
    head_seq       INTEGER NOT NULL,             -- number of its newest bundle without a gap before it; 0 for none
    head_hash      BLOB,
    ancestor_id    BLOB,                         -- device that it was before it took a new key
    wiped_at_ms    INTEGER                       -- when its receipt came, which it sends before it destroys its data
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolment_codes (
    code_hash     BLOB NOT NULL PRIMARY KEY,     -- SHA-256; the code itself is not stored
    user_id       BLOB NOT NULL,
    role          TEXT NOT NULL,
    centres       TEXT NOT NULL,                 -- codes, separated by spaces
    expires_at_ms INTEGER NOT NULL,
    device_id     BLOB                           -- device that redeemed it
) STRICT, WITHOUT ROWID;

-- Signed part of each bundle: the hashes of its changes replace their bytes, which are in log, held or deferred.
CREATE TABLE bundles (
    hash           BLOB NOT NULL PRIMARY KEY,
    device_id      BLOB NOT NULL,
    bundle_seq     INTEGER NOT NULL,
    bytes          BLOB NOT NULL
) STRICT;
CREATE INDEX bundles_by_device ON bundles (device_id, bundle_seq);

-- Farmers whose personal data were erased; what phones bring about them afterwards is erased too.
CREATE TABLE forgotten (
    farmer_id BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE scopes (
    scope TEXT NOT NULL PRIMARY KEY,
    seq   INTEGER NOT NULL,                      -- set in the transaction that appends: a database sequence could skip numbers
    chain BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    scope          TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    chain          BLOB NOT NULL,                -- chain hash after this entry
    commit_id INTEGER NOT NULL,             -- shared by entries between which no frame is cut
    bundle_hash    BLOB,                         -- null for a decision
    entry          INTEGER,
    envelope       BLOB,                         -- CBOR of protocol::bundle::ChangeEnvelope; null for a decision
    body           BLOB,                         -- stripped change or decision; null once it is erased
    change_hash    BLOB,                         -- null for a decision
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;

-- Finds the few decisions among very many changes.
CREATE INDEX log_decisions ON log (scope, seq) WHERE envelope IS NULL;

-- Position of each change in the log.
CREATE TABLE logged_changes (
    document_id BLOB NOT NULL,
    change_hash BLOB NOT NULL,
    scope       TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (document_id, change_hash)
) STRICT, WITHOUT ROWID;

-- Entries that a person must approve or reject.
CREATE TABLE held (
    document_id BLOB NOT NULL,
    change_hash BLOB NOT NULL,
    bundle_hash BLOB NOT NULL,
    entry       INTEGER NOT NULL,
    entry_hash  BLOB NOT NULL,                   -- over envelope and change, as in the log
    envelope    BLOB NOT NULL,                   -- CBOR of protocol::bundle::ChangeEnvelope
    device_cursor INTEGER NOT NULL,              -- sequence number up to which the author had read the device's scope
    schema_version INTEGER NOT NULL,             -- of the bundle
    change      BLOB NOT NULL,                   -- stripped; a draft's bytes for kind 0
    code        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    held_at_ms  INTEGER NOT NULL,
    PRIMARY KEY (entry_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_by_document ON held (document_id, change_hash);

-- Changes that the office rejected. Changes that build on them are rejected too.
CREATE TABLE rejected (
    document_id    BLOB NOT NULL,
    change_hash    BLOB NOT NULL,
    device_id      BLOB NOT NULL,                -- device that sealed it
    reason         TEXT NOT NULL,
    PRIMARY KEY (document_id, change_hash, device_id)
) STRICT, WITHOUT ROWID;

-- Periods in which this server restored data that it had acknowledged and lost; the newest counts.
CREATE TABLE recoveries (
    epoch         INTEGER NOT NULL PRIMARY KEY,  -- 1, 2 …
    reason        TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms   INTEGER                        -- null while it is open
) STRICT;

-- Verified copies of this database, and what they contain.
CREATE TABLE backups (
    made_at_ms     INTEGER NOT NULL PRIMARY KEY,
    copy_id        BLOB NOT NULL UNIQUE,         -- written by `backup`; a copy of a copy has the same one
    content        BLOB NOT NULL                 -- CBOR of the heads of all logs, and of each device's newest bundle
) STRICT;

-- Pieces of what devices offer, until they reach a head that this server had signed.
CREATE TABLE staged (
    device_id BLOB NOT NULL,
    scope     TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    entry     BLOB NOT NULL,                     -- CBOR of protocol::message::FrameEntry
    PRIMARY KEY (device_id, scope, seq)
) STRICT, WITHOUT ROWID;

-- Entries that wait for other changes, or for a newer server. Any device may bring what is missing.
CREATE TABLE deferred (
    document_id    BLOB NOT NULL,
    change_hash    BLOB NOT NULL,
    bundle_hash    BLOB NOT NULL,
    entry          INTEGER NOT NULL,
    entry_hash     BLOB NOT NULL,                -- over envelope and change, as in the log
    envelope       BLOB NOT NULL,                -- CBOR of protocol::bundle::ChangeEnvelope
    device_cursor  INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    change         BLOB NOT NULL,                -- stripped
    missing        BLOB NOT NULL,                -- hashes of 32 bytes; empty if only a newer server can judge it
    deferred_at_ms INTEGER NOT NULL,
    PRIMARY KEY (entry_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX deferred_by_document ON deferred (document_id, change_hash);

-- Positions of decisions that wait for a newer server.
CREATE TABLE deferred_decisions (
    scope TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;

-- By which the office searches.
CREATE INDEX loads_by_number ON loads (number);
