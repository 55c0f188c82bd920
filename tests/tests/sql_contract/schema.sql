-- One sample of each form of column, key and index.

CREATE TABLE samples (
    sample_id BLOB NOT NULL PRIMARY KEY,
    number    INTEGER,
    name      TEXT,
    body      BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX samples_by_number ON samples (number, sample_id);
CREATE INDEX samples_with_number ON samples (number) WHERE number > 0;

CREATE TABLE counters (
    centre TEXT NOT NULL,
    part   INTEGER NOT NULL,
    value  INTEGER NOT NULL,
    PRIMARY KEY (centre, part)
) STRICT, WITHOUT ROWID;

-- The steps that writes of a counter left, in order.
CREATE TABLE steps (
    step   INTEGER PRIMARY KEY,
    value  INTEGER NOT NULL UNIQUE
) STRICT;
