-- What the server keeps for one organisation, beside the records that phones have too.

CREATE TABLE devices (
    device_id      BLOB NOT NULL PRIMARY KEY,
    device_code    INTEGER NOT NULL UNIQUE,
    public_key     BLOB NOT NULL UNIQUE,
    user_id        BLOB NOT NULL,
    model          TEXT NOT NULL,
    enrolled_at_ms INTEGER NOT NULL,
    seen_at_ms     INTEGER NOT NULL,
    head_seq       INTEGER NOT NULL,             -- its newest bundle here, 0 for none
    head_hash      BLOB,
    ancestor_id    BLOB,                         -- the device that it was before it took a new key
    wiped_at_ms    INTEGER                       -- when its receipt came
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolment_codes (
    code_hash     BLOB NOT NULL PRIMARY KEY,     -- SHA-256: the code itself is only shown once
    user_id       BLOB NOT NULL,
    role          TEXT NOT NULL,
    centres       TEXT NOT NULL,                 -- codes, separated by blanks
    expires_at_ms INTEGER NOT NULL,
    device_id     BLOB                           -- who redeemed it
) STRICT, WITHOUT ROWID;

-- What was signed of each bundle: the hashes of its changes stand in place of their bytes, which are in the log, in held or in deferred.
CREATE TABLE bundles (
    hash           BLOB NOT NULL PRIMARY KEY,
    device_id      BLOB NOT NULL,
    bundle_seq     INTEGER NOT NULL,
    bytes          BLOB NOT NULL
) STRICT;
CREATE INDEX bundles_by_device ON bundles (device_id, bundle_seq);

CREATE TABLE scopes (
    scope TEXT NOT NULL PRIMARY KEY,
    seq   INTEGER NOT NULL,                      -- taken inside the commit, never from a counter that may skip
    chain BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    scope          TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    chain          BLOB NOT NULL,                -- after this entry
    commit_id INTEGER NOT NULL,             -- entries of one transaction share it; a frame is never cut between them
    bundle_hash    BLOB,                         -- null for a decision
    entry          INTEGER,
    envelope       BLOB,                         -- CBOR of protocol::bundle::ChangeEnvelope; null for a decision
    body           BLOB,                         -- the stripped change, or the decision; null once it is erased
    change_hash    BLOB,                         -- null for a decision
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;

-- Decisions are few among very many changes.
CREATE INDEX log_decisions ON log (scope, seq) WHERE envelope IS NULL;

-- Where a change stands in the log.
CREATE TABLE logged_changes (
    document_id BLOB NOT NULL,
    change_hash BLOB NOT NULL,
    scope       TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (document_id, change_hash)
) STRICT, WITHOUT ROWID;

-- Entries that a person must decide about.
CREATE TABLE held (
    document_id BLOB NOT NULL,
    change_hash BLOB NOT NULL,
    bundle_hash BLOB NOT NULL,
    entry       INTEGER NOT NULL,
    entry_hash  BLOB NOT NULL,                   -- over envelope and change, as in the log
    envelope    BLOB NOT NULL,                   -- CBOR of protocol::bundle::ChangeEnvelope
    device_cursor INTEGER NOT NULL,              -- how far the author had read the device's scope
    schema_version INTEGER NOT NULL,             -- of the version that sealed the bundle
    change      BLOB NOT NULL,                   -- stripped; a draft's bytes for kind 0
    code        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    held_at_ms  INTEGER NOT NULL,
    PRIMARY KEY (entry_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_by_document ON held (document_id, change_hash);

-- Changes that went back to their authors: what builds on them follows.
CREATE TABLE rejected (
    document_id    BLOB NOT NULL,
    change_hash    BLOB NOT NULL,
    device_id      BLOB NOT NULL,                -- that handed it over
    reason         TEXT NOT NULL,
    PRIMARY KEY (document_id, change_hash, device_id)
) STRICT, WITHOUT ROWID;

-- When this server had lost data that it had acknowledged; the newest counts.
CREATE TABLE recoveries (
    epoch         INTEGER NOT NULL PRIMARY KEY,  -- 1, 2 …
    reason        TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms   INTEGER                        -- null while it lasts
) STRICT;

-- Copies of this database that were verified, and what they contain.
CREATE TABLE backups (
    made_at_ms     INTEGER NOT NULL PRIMARY KEY,
    copy_id        BLOB NOT NULL UNIQUE,         -- what `backup` called it: a copy of a copy is the same one
    content        BLOB NOT NULL                 -- CBOR of the places of all logs, and of each device's newest bundle
) STRICT;

-- Pieces of what devices offer back, until they reach what this server had signed.
CREATE TABLE staged (
    device_id BLOB NOT NULL,
    scope     TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    entry     BLOB NOT NULL,                     -- CBOR of protocol::message::FrameEntry
    PRIMARY KEY (device_id, scope, seq)
) STRICT, WITHOUT ROWID;

-- Entries that wait for other changes, or for a newer server; whoever brings what is missing mends them.
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
    missing        BLOB NOT NULL,                -- 32 bytes each; empty: only a newer server can judge it
    deferred_at_ms INTEGER NOT NULL,
    PRIMARY KEY (entry_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX deferred_by_document ON deferred (document_id, change_hash);

-- Places of decisions that wait for a newer server.
CREATE TABLE deferred_decisions (
    scope TEXT NOT NULL,
    seq   INTEGER NOT NULL,
    PRIMARY KEY (scope, seq)
) STRICT, WITHOUT ROWID;

-- What stands on a paper, as the office looks it up.
CREATE INDEX deliveries_by_receipt ON deliveries (device_code, receipt_seq);
CREATE INDEX loads_by_number ON loads (number);
CREATE INDEX farmers_by_code ON farmers (code);
