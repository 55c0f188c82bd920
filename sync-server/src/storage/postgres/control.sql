-- Tables of the driver itself, created by the owner of all tables. The server connects as another role, bound by row level security.

-- Number of each organisation, which all rows carry and row level security compares. It never leaves the database.
CREATE TABLE organisations (
    number          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id BYTEA NOT NULL UNIQUE
);

-- Ids of committed transactions, kept for as long as a retry may look for them.
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
