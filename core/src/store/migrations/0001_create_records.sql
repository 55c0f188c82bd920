-- Tables of phone and server: documents, and the projections of documents and of decisions.

CREATE TABLE documents (
    document_id BLOB NOT NULL PRIMARY KEY,
    kind        INTEGER NOT NULL,              -- records::Kind
    scope       TEXT NOT NULL,
    saved       BLOB NOT NULL,                 -- the raw first change until the first edit, then Automerge's saved form
    heads       BLOB NOT NULL                  -- change hashes of 32 bytes each, in order
) STRICT, WITHOUT ROWID;

-- Projections can be deleted and rebuilt from documents. Besides `arrival`, only the record's id is unique.

CREATE TABLE deliveries (
    arrival        INTEGER PRIMARY KEY,        -- order of arrival in this database
    delivery_id    BLOB NOT NULL UNIQUE,
    scope          TEXT NOT NULL,
    farmer_id      BLOB NOT NULL,
    load_id        BLOB,                       -- load that all of it is on; null for none, and if it is divided
    parts          INTEGER NOT NULL,           -- 1, or the number of its rows in delivery_parts
    business_day   INTEGER NOT NULL,           -- days since 1970-01-01
    recorded_at_ms INTEGER NOT NULL,
    measured_at_ms INTEGER NOT NULL,           -- when something of it was last weighed or read
    user_id        BLOB NOT NULL,
    device_code    INTEGER NOT NULL,
    receipt_seq    INTEGER NOT NULL,
    is_voided      INTEGER NOT NULL,
    amendments     INTEGER NOT NULL,
    conflicts      INTEGER NOT NULL,
    bag_count      INTEGER NOT NULL,           -- bags that count
    gross_g        INTEGER NOT NULL,
    replaces       BLOB,                       -- delivery that this one replaces
    paper_book     TEXT,                       -- code of the paper book on whose form it was written first
    paper_serial   INTEGER                     -- number of that form
) STRICT;
CREATE INDEX deliveries_by_day ON deliveries (scope, business_day, recorded_at_ms);
CREATE INDEX deliveries_by_measuring ON deliveries (scope, measured_at_ms);
CREATE INDEX deliveries_by_farmer ON deliveries (farmer_id, business_day);
CREATE INDEX deliveries_by_receipt ON deliveries (device_code, receipt_seq);
CREATE INDEX voided_deliveries ON deliveries (scope, business_day, recorded_at_ms) WHERE is_voided = 1;
-- The totals of a load are read from this index alone, and from the one of parts.
CREATE INDEX deliveries_by_load ON deliveries (load_id, is_voided, bag_count, gross_g);

CREATE INDEX deliveries_by_paper ON deliveries (paper_book, paper_serial, is_voided) WHERE paper_book IS NOT NULL;
CREATE INDEX deliveries_by_replaced ON deliveries (replaces) WHERE replaces IS NOT NULL;

-- What of a delivery is on each load, if it is divided.
CREATE TABLE delivery_parts (
    delivery_id BLOB NOT NULL,
    number      INTEGER NOT NULL,              -- from 0
    load_id     BLOB,                          -- null for what is on no load
    is_voided   INTEGER NOT NULL,
    bag_count   INTEGER NOT NULL,              -- bags that count
    gross_g     INTEGER NOT NULL,
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_parts_by_load ON delivery_parts (load_id, is_voided, bag_count, gross_g);

CREATE TABLE loads (
    arrival        INTEGER PRIMARY KEY,
    load_id        BLOB NOT NULL UNIQUE,
    scope          TEXT NOT NULL,
    number         TEXT NOT NULL,
    lorry          TEXT NOT NULL,
    business_day   INTEGER NOT NULL,
    state          INTEGER NOT NULL,           -- records::load::LoadState
    loaders        INTEGER NOT NULL,
    conflicts      INTEGER NOT NULL
) STRICT;
CREATE INDEX loads_by_day ON loads (scope, business_day);
CREATE INDEX loads_by_lorry ON loads (lorry, business_day);

CREATE TABLE farmers (
    arrival        INTEGER PRIMARY KEY,
    farmer_id      BLOB NOT NULL UNIQUE,
    scope          TEXT NOT NULL,
    code           TEXT NOT NULL,
    inactive_from_ms INTEGER,                    -- null for an active farmer
    conflicts      INTEGER NOT NULL
) STRICT;

CREATE TABLE contacts (
    arrival        INTEGER PRIMARY KEY,
    contact_id     BLOB NOT NULL UNIQUE,
    scope          TEXT NOT NULL,
    farmer_id      BLOB NOT NULL,
    name           TEXT NOT NULL,
    local_name     TEXT NOT NULL,                -- in the local script; may be empty
    village        TEXT NOT NULL,
    phone          TEXT NOT NULL,
    name_key       TEXT NOT NULL,                -- name and village in the form in which they are compared
    conflicts      INTEGER NOT NULL
) STRICT;
CREATE INDEX contacts_by_farmer ON contacts (farmer_id);
CREATE INDEX contacts_by_name ON contacts (scope, name_key);

-- Farmers' payout details, whose values are in the documents only.
CREATE TABLE payouts (
    arrival        INTEGER PRIMARY KEY,
    payout_id      BLOB NOT NULL UNIQUE,
    scope          TEXT NOT NULL,
    farmer_id      BLOB NOT NULL,
    conflicts      INTEGER NOT NULL
) STRICT;

-- Records of all simple kinds (records::simple).
CREATE TABLE simple_records (
    arrival        INTEGER PRIMARY KEY,
    record_id      BLOB NOT NULL UNIQUE,
    scope          TEXT NOT NULL,
    kind           INTEGER NOT NULL,             -- records::Kind
    about_id       BLOB,                         -- document under whose record it is listed
    farmer_id      BLOB,
    business_day   INTEGER,
    state          INTEGER NOT NULL,             -- records::simple::SimpleState
    user_id        BLOB NOT NULL,
    device_code    INTEGER NOT NULL,
    paid_out_minor INTEGER,                      -- money that its author paid out, withdrawn or not; null: none
    paper_book     TEXT,                         -- with paper_serial: the form on which it was written first; null: none
    paper_serial   INTEGER,
    made_at_ms     INTEGER NOT NULL,             -- with made_counter: the hybrid time; with the id, the key of paging
    made_counter   INTEGER NOT NULL,
    conflicts      INTEGER NOT NULL
) STRICT;
CREATE INDEX simple_records_by_time ON simple_records (kind, made_at_ms, made_counter, record_id);
CREATE INDEX simple_records_by_subject ON simple_records (about_id, kind, made_at_ms, made_counter, record_id) WHERE about_id IS NOT NULL;
CREATE INDEX simple_records_by_farmer ON simple_records (farmer_id, kind) WHERE farmer_id IS NOT NULL;
CREATE INDEX simple_records_paid_out ON simple_records (user_id, device_code, paid_out_minor) WHERE paid_out_minor IS NOT NULL;
CREATE INDEX simple_records_by_paper ON simple_records (paper_book, paper_serial, state) WHERE paper_book IS NOT NULL;
CREATE INDEX simple_records_by_day ON simple_records (kind, business_day) WHERE business_day IS NOT NULL;

-- Few rows are in conflict, so these indexes cost almost nothing.
CREATE INDEX deliveries_in_conflict ON deliveries (delivery_id) WHERE conflicts > 0;
CREATE INDEX loads_in_conflict ON loads (load_id) WHERE conflicts > 0;
CREATE INDEX farmers_in_conflict ON farmers (farmer_id) WHERE conflicts > 0;
CREATE INDEX contacts_in_conflict ON contacts (contact_id) WHERE conflicts > 0;
CREATE INDEX payouts_in_conflict ON payouts (payout_id) WHERE conflicts > 0;
CREATE INDEX simple_records_in_conflict ON simple_records (record_id) WHERE conflicts > 0;

CREATE INDEX farmers_by_scope ON farmers (scope, farmer_id);
CREATE INDEX farmers_by_code ON farmers (code, scope, farmer_id);

-- Folded words of documents, their prefixes of one to three characters (store::search), and what farmers are compared by
-- (store::look_alikes).
CREATE TABLE words (
    scope       TEXT NOT NULL,
    token       TEXT NOT NULL,
    document_id BLOB NOT NULL,
    PRIMARY KEY (scope, token, document_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX words_by_document ON words (document_id);

-- The version of the folding with which words and folded columns were computed; one row.
CREATE TABLE folding (
    version INTEGER NOT NULL PRIMARY KEY       -- text::FOLD_VERSION
) STRICT, WITHOUT ROWID;

-- Projections of decisions.

-- The latest of the decisions about one subject.
CREATE TABLE reference (
    kind    INTEGER NOT NULL,                  -- decisions::DecisionKind::NUMBER
    subject TEXT NOT NULL,                     -- subject of the decision
    scope   TEXT NOT NULL,                     -- scope of the log that has it
    seq     INTEGER NOT NULL,                  -- sequence number in that log
    body    BLOB NOT NULL,                     -- bytes of the decision as received
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX reference_by_scope ON reference (scope, seq);

-- Records that decisions name; the decision is in the log, and a kind with rows has its own table.
CREATE TABLE decision_documents (
    scope       TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    document_id BLOB NOT NULL,
    PRIMARY KEY (scope, seq, document_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX decision_documents_by_document ON decision_documents (document_id);

CREATE TABLE grants (
    grant_id           BLOB NOT NULL PRIMARY KEY,
    scope              TEXT NOT NULL,
    seq                INTEGER NOT NULL,
    decided_at_ms      INTEGER NOT NULL,
    user_id            BLOB NOT NULL,
    device_id          BLOB NOT NULL,
    role               TEXT NOT NULL,
    centres            TEXT NOT NULL,          -- codes, separated by spaces
    revocation_subject TEXT NOT NULL,          -- subject in `reference` of its revocation
    suspension_subject TEXT NOT NULL           -- subject in `reference` of its user's suspension
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_device ON grants (device_id, user_id);
CREATE INDEX grants_by_scope ON grants (scope);

CREATE TABLE reviews (
    review_id     BLOB NOT NULL,
    scope         TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    decided_at_ms INTEGER NOT NULL,
    code          TEXT NOT NULL,
    PRIMARY KEY (review_id, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX reviews_by_position ON reviews (scope, seq);

-- Documents whose bytes were erased.
CREATE TABLE erased (
    document_id BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
