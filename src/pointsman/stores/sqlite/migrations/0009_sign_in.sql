-- What people sign in with: sessions (by the digest of their token) and invitations.

CREATE TABLE sign_in (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    expires_at REAL,
    record BLOB NOT NULL,  -- JSON object
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_by_user ON sign_in (kind, user_id);
CREATE INDEX sign_in_by_expiry ON sign_in (expires_at) WHERE expires_at IS NOT NULL;
