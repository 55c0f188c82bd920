-- What the driver itself keeps. Run once, by the role that owns the tables; the server connects as another one, which row level security
-- binds and which may read and write them.

-- The number of an organisation is what rows carry and row level security compares; it never leaves the database.
CREATE TABLE organisations (
    number          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id BYTEA NOT NULL UNIQUE
);

-- Transactions that were committed, for as long as somebody may ask whether they were.
CREATE TABLE writes (
    organisation    BIGINT NOT NULL DEFAULT current_setting('farmtally.organisation')::bigint,
    write_id         BYTEA NOT NULL,
    committed_at_ms BIGINT NOT NULL DEFAULT (extract(epoch FROM now()) * 1000)::bigint,
    PRIMARY KEY (organisation, write_id)
);
ALTER TABLE writes ENABLE ROW LEVEL SECURITY;
ALTER TABLE writes FORCE ROW LEVEL SECURITY;
CREATE POLICY writes_of_organisation ON writes
    USING (organisation = current_setting('farmtally.organisation')::bigint)
    WITH CHECK (organisation = current_setting('farmtally.organisation')::bigint);
