-- Whose work it was, and where it belonged; null for what came back before this was noted.
ALTER TABLE returned ADD COLUMN author_id BLOB;
ALTER TABLE returned ADD COLUMN scope TEXT;
