-- The server's own tables of one organisation; the tables of records are core's.

CREATE TABLE devices (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, device_id),
    UNIQUE (organisation, device_code),
    UNIQUE (organisation, public_key),
    device_id      BYTEA NOT NULL,
    device_code    BIGINT NOT NULL,
    public_key     BYTEA NOT NULL,
    user_id        BYTEA NOT NULL,
    model          TEXT COLLATE "C" NOT NULL,
    enrolled_at_ms BIGINT NOT NULL,
    seen_at_ms     BIGINT NOT NULL,
    head_seq       BIGINT NOT NULL,             -- number of its newest bundle without a gap before it; 0 for none
    head_hash      BYTEA,
    ancestor_id    BYTEA,                         -- device that it was before it took a new key
    wiped_at_ms    BIGINT                       -- when its receipt came, which it sends before it destroys its data
);
ALTER TABLE devices ENABLE ROW LEVEL SECURITY;
ALTER TABLE devices FORCE ROW LEVEL SECURITY;
CREATE POLICY devices_of_organisation ON devices
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

CREATE TABLE enrolment_codes (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, code_hash),
    code_hash     BYTEA NOT NULL,     -- SHA-256; the code itself is not stored
    user_id       BYTEA NOT NULL,
    role          TEXT COLLATE "C" NOT NULL,
    centres       TEXT COLLATE "C" NOT NULL,                 -- codes, separated by spaces
    expires_at_ms BIGINT NOT NULL,
    device_id     BYTEA                           -- device that redeemed it
);
ALTER TABLE enrolment_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE enrolment_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY enrolment_codes_of_organisation ON enrolment_codes
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Signed part of each bundle: the hashes of its changes replace their bytes, which are in log, held or deferred.
CREATE TABLE bundles (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, hash),
    hash           BYTEA NOT NULL,
    device_id      BYTEA NOT NULL,
    bundle_seq     BIGINT NOT NULL,
    bytes          BYTEA NOT NULL
);
ALTER TABLE bundles ENABLE ROW LEVEL SECURITY;
ALTER TABLE bundles FORCE ROW LEVEL SECURITY;
CREATE POLICY bundles_of_organisation ON bundles
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);
CREATE INDEX bundles_by_device ON bundles (organisation, device_id, bundle_seq);

-- Farmers whose personal data were erased; what phones bring about them afterwards is erased too.
CREATE TABLE forgotten (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, farmer_id),
    farmer_id BYTEA NOT NULL
);
ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY;
ALTER TABLE forgotten FORCE ROW LEVEL SECURITY;
CREATE POLICY forgotten_of_organisation ON forgotten
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

CREATE TABLE scopes (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, scope),
    scope TEXT COLLATE "C" NOT NULL,
    seq   BIGINT NOT NULL,                      -- set in the transaction that appends: a database sequence could skip numbers
    chain BYTEA NOT NULL
);
ALTER TABLE scopes ENABLE ROW LEVEL SECURITY;
ALTER TABLE scopes FORCE ROW LEVEL SECURITY;
CREATE POLICY scopes_of_organisation ON scopes
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

CREATE TABLE log (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    scope          TEXT COLLATE "C" NOT NULL,
    seq            BIGINT NOT NULL,
    chain          BYTEA NOT NULL,                -- chain hash after this entry
    commit_id BIGINT NOT NULL,             -- shared by entries between which no frame is cut
    bundle_hash    BYTEA,                         -- null for a decision
    entry          BIGINT,
    envelope       BYTEA,                         -- CBOR of protocol::bundle::ChangeEnvelope; null for a decision
    body           BYTEA,                         -- stripped change or decision; null once it is erased
    change_hash    BYTEA,                         -- null for a decision
    PRIMARY KEY (organisation, scope, seq)
);
ALTER TABLE log ENABLE ROW LEVEL SECURITY;
ALTER TABLE log FORCE ROW LEVEL SECURITY;
CREATE POLICY log_of_organisation ON log
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Finds the few decisions among very many changes.
CREATE INDEX log_decisions ON log (organisation, scope, seq) WHERE envelope IS NULL;

-- Position of each change in the log.
CREATE TABLE logged_changes (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    document_id BYTEA NOT NULL,
    change_hash BYTEA NOT NULL,
    scope       TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,
    PRIMARY KEY (organisation, document_id, change_hash)
);
ALTER TABLE logged_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE logged_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY logged_changes_of_organisation ON logged_changes
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Entries that a person must approve or reject.
CREATE TABLE held (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    document_id BYTEA NOT NULL,
    change_hash BYTEA NOT NULL,
    bundle_hash BYTEA NOT NULL,
    entry       BIGINT NOT NULL,
    entry_hash  BYTEA NOT NULL,                   -- over envelope and change, as in the log
    envelope    BYTEA NOT NULL,                   -- CBOR of protocol::bundle::ChangeEnvelope
    device_cursor BIGINT NOT NULL,              -- sequence number up to which the author had read the device's scope
    schema_version BIGINT NOT NULL,             -- of the bundle
    change      BYTEA NOT NULL,                   -- stripped; a draft's bytes for kind 0
    code        TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    held_at_ms  BIGINT NOT NULL,
    PRIMARY KEY (organisation, entry_hash)
);
ALTER TABLE held ENABLE ROW LEVEL SECURITY;
ALTER TABLE held FORCE ROW LEVEL SECURITY;
CREATE POLICY held_of_organisation ON held
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);
CREATE INDEX held_by_document ON held (organisation, document_id, change_hash);

-- Changes that the office rejected. Changes that build on them are rejected too.
CREATE TABLE rejected (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    document_id    BYTEA NOT NULL,
    change_hash    BYTEA NOT NULL,
    device_id      BYTEA NOT NULL,                -- device that sealed it
    reason         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organisation, document_id, change_hash, device_id)
);
ALTER TABLE rejected ENABLE ROW LEVEL SECURITY;
ALTER TABLE rejected FORCE ROW LEVEL SECURITY;
CREATE POLICY rejected_of_organisation ON rejected
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Periods in which this server restored data that it had acknowledged and lost; the newest counts.
CREATE TABLE recoveries (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, epoch),
    epoch         BIGINT NOT NULL,  -- 1, 2 …
    reason        TEXT COLLATE "C" NOT NULL,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms   BIGINT                        -- null while it is open
);
ALTER TABLE recoveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE recoveries FORCE ROW LEVEL SECURITY;
CREATE POLICY recoveries_of_organisation ON recoveries
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Verified copies of this database, and what they contain.
CREATE TABLE backups (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, made_at_ms),
    UNIQUE (organisation, copy_id),
    made_at_ms     BIGINT NOT NULL,
    copy_id        BYTEA NOT NULL,         -- written by `backup`; a copy of a copy has the same one
    content        BYTEA NOT NULL                 -- CBOR of the heads of all logs, and of each device's newest bundle
);
ALTER TABLE backups ENABLE ROW LEVEL SECURITY;
ALTER TABLE backups FORCE ROW LEVEL SECURITY;
CREATE POLICY backups_of_organisation ON backups
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Pieces of what devices offer, until they reach a head that this server had signed.
CREATE TABLE staged (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    device_id BYTEA NOT NULL,
    scope     TEXT COLLATE "C" NOT NULL,
    seq       BIGINT NOT NULL,
    entry     BYTEA NOT NULL,                     -- CBOR of protocol::message::FrameEntry
    PRIMARY KEY (organisation, device_id, scope, seq)
);
ALTER TABLE staged ENABLE ROW LEVEL SECURITY;
ALTER TABLE staged FORCE ROW LEVEL SECURITY;
CREATE POLICY staged_of_organisation ON staged
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Entries that wait for other changes, or for a newer server. Any device may bring what is missing.
CREATE TABLE deferred (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    document_id    BYTEA NOT NULL,
    change_hash    BYTEA NOT NULL,
    bundle_hash    BYTEA NOT NULL,
    entry          BIGINT NOT NULL,
    entry_hash     BYTEA NOT NULL,                -- over envelope and change, as in the log
    envelope       BYTEA NOT NULL,                -- CBOR of protocol::bundle::ChangeEnvelope
    device_cursor  BIGINT NOT NULL,
    schema_version BIGINT NOT NULL,
    change         BYTEA NOT NULL,                -- stripped
    missing        BYTEA NOT NULL,                -- hashes of 32 bytes; empty if only a newer server can judge it
    deferred_at_ms BIGINT NOT NULL,
    PRIMARY KEY (organisation, entry_hash)
);
ALTER TABLE deferred ENABLE ROW LEVEL SECURITY;
ALTER TABLE deferred FORCE ROW LEVEL SECURITY;
CREATE POLICY deferred_of_organisation ON deferred
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);
CREATE INDEX deferred_by_document ON deferred (organisation, document_id, change_hash);

-- Positions of decisions that wait for a newer server.
CREATE TABLE deferred_decisions (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    scope TEXT COLLATE "C" NOT NULL,
    seq   BIGINT NOT NULL,
    PRIMARY KEY (organisation, scope, seq)
);
ALTER TABLE deferred_decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE deferred_decisions FORCE ROW LEVEL SECURITY;
CREATE POLICY deferred_decisions_of_organisation ON deferred_decisions
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- By which the office searches.
CREATE INDEX loads_by_number ON loads (organisation, number);
