-- What the server keeps for one organisation, beside the records that phones have too.

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
    head_seq       BIGINT NOT NULL,             -- its newest bundle here, 0 for none
    head_hash      BYTEA,
    ancestor_id    BYTEA,                         -- the device that it was before it took a new key
    wiped_at_ms    BIGINT                       -- when its receipt came
);
ALTER TABLE devices ENABLE ROW LEVEL SECURITY;
ALTER TABLE devices FORCE ROW LEVEL SECURITY;
CREATE POLICY devices_of_organisation ON devices
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

CREATE TABLE enrolment_codes (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, code_hash),
    code_hash     BYTEA NOT NULL,     -- SHA-256: the code itself is only shown once
    user_id       BYTEA NOT NULL,
    role          TEXT COLLATE "C" NOT NULL,
    centres       TEXT COLLATE "C" NOT NULL,                 -- codes, separated by blanks
    expires_at_ms BIGINT NOT NULL,
    device_id     BYTEA                           -- who redeemed it
);
ALTER TABLE enrolment_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE enrolment_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY enrolment_codes_of_organisation ON enrolment_codes
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- What was signed of each bundle: the hashes of its changes stand in place of their bytes, which are in the log, in held or in deferred.
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

CREATE TABLE scopes (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, scope),
    scope TEXT COLLATE "C" NOT NULL,
    seq   BIGINT NOT NULL,                      -- taken inside the commit, never from a counter that may skip
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
    chain          BYTEA NOT NULL,                -- after this entry
    commit_id BIGINT NOT NULL,             -- entries of one transaction share it; a frame is never cut between them
    bundle_hash    BYTEA,                         -- null for a decision
    entry          BIGINT,
    envelope       BYTEA,                         -- CBOR of protocol::bundle::ChangeEnvelope; null for a decision
    body           BYTEA,                         -- the stripped change, or the decision; null once it is erased
    change_hash    BYTEA,                         -- null for a decision
    PRIMARY KEY (organisation, scope, seq)
);
ALTER TABLE log ENABLE ROW LEVEL SECURITY;
ALTER TABLE log FORCE ROW LEVEL SECURITY;
CREATE POLICY log_of_organisation ON log
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Decisions are few among very many changes.
CREATE INDEX log_decisions ON log (organisation, scope, seq) WHERE envelope IS NULL;

-- Where a change stands in the log.
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

-- Entries that a person must decide about.
CREATE TABLE held (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    document_id BYTEA NOT NULL,
    change_hash BYTEA NOT NULL,
    bundle_hash BYTEA NOT NULL,
    entry       BIGINT NOT NULL,
    entry_hash  BYTEA NOT NULL,                   -- over envelope and change, as in the log
    envelope    BYTEA NOT NULL,                   -- CBOR of protocol::bundle::ChangeEnvelope
    device_cursor BIGINT NOT NULL,              -- how far the author had read the device's scope
    schema_version BIGINT NOT NULL,             -- of the version that sealed the bundle
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

-- Changes that went back to their authors: what builds on them follows.
CREATE TABLE rejected (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    document_id    BYTEA NOT NULL,
    change_hash    BYTEA NOT NULL,
    device_id      BYTEA NOT NULL,                -- that handed it over
    reason         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organisation, document_id, change_hash, device_id)
);
ALTER TABLE rejected ENABLE ROW LEVEL SECURITY;
ALTER TABLE rejected FORCE ROW LEVEL SECURITY;
CREATE POLICY rejected_of_organisation ON rejected
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- When this server had lost data that it had acknowledged; the newest counts.
CREATE TABLE recoveries (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, epoch),
    epoch         BIGINT NOT NULL,  -- 1, 2 …
    reason        TEXT COLLATE "C" NOT NULL,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms   BIGINT                        -- null while it lasts
);
ALTER TABLE recoveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE recoveries FORCE ROW LEVEL SECURITY;
CREATE POLICY recoveries_of_organisation ON recoveries
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Copies of this database that were verified, and what they contain.
CREATE TABLE backups (
    organisation BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    PRIMARY KEY (organisation, made_at_ms),
    UNIQUE (organisation, copy_id),
    made_at_ms     BIGINT NOT NULL,
    copy_id        BYTEA NOT NULL,         -- what `backup` called it: a copy of a copy is the same one
    content        BYTEA NOT NULL                 -- CBOR of the places of all logs, and of each device's newest bundle
);
ALTER TABLE backups ENABLE ROW LEVEL SECURITY;
ALTER TABLE backups FORCE ROW LEVEL SECURITY;
CREATE POLICY backups_of_organisation ON backups
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);

-- Pieces of what devices offer back, until they reach what this server had signed.
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

-- Entries that wait for other changes, or for a newer server; whoever brings what is missing mends them.
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
    missing        BYTEA NOT NULL,                -- 32 bytes each; empty: only a newer server can judge it
    deferred_at_ms BIGINT NOT NULL,
    PRIMARY KEY (organisation, entry_hash)
);
ALTER TABLE deferred ENABLE ROW LEVEL SECURITY;
ALTER TABLE deferred FORCE ROW LEVEL SECURITY;
CREATE POLICY deferred_of_organisation ON deferred
    USING (organisation = current_setting('farmtally.organisation')::bigint) WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);
CREATE INDEX deferred_by_document ON deferred (organisation, document_id, change_hash);

-- Places of decisions that wait for a newer server.
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

-- What stands on a paper, as the office looks it up.
CREATE INDEX deliveries_by_receipt ON deliveries (organisation, device_code, receipt_seq);
CREATE INDEX loads_by_number ON loads (organisation, number);
CREATE INDEX farmers_by_code ON farmers (organisation, code);
