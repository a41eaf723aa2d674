"""The tables of a pool's index. It is the one truth: what it does not name is not in the pool.

``images`` has a row for each image, numbered as the embeddings are. ``places`` has one for each
place that an image was taken from, with what came of it, so that a repeated run knows what it has
dealt with. ``counts`` is kept by triggers: counting a million images would take a second each time.
``groups`` are joined by giving them one root (union-find, flattened when two are joined).

``verdicts`` has what was said of some images. It stands apart because images are judged at random:
in a table as wide as ``images`` each verdict would change a page of its own. For the same reason
there are ``stretches``: rows from `first` on are of one source, up to the next stretch, so that the
source of an image is known without a page of ``images``. ``spaces`` are the networks that there are
embeddings of, and ``checksums`` has one of each row of these; what has none is not there, but for
those of the first network that version 1 has written.
"""

from __future__ import annotations

APPLICATION_ID = 0x4F475031  # "OGP1"
VERSION = 3

#: What came of a place.
ADDED, DUPLICATE, UNREADABLE = 0, 1, 2

#: What came in with version 2.
JUDGED = """
CREATE TABLE verdicts (
    row INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources,
    state TEXT NOT NULL,
    reason TEXT
);
CREATE TABLE spaces (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL UNIQUE,
    backbone TEXT NOT NULL,
    layers TEXT NOT NULL
);
CREATE TABLE checksums (
    space INTEGER NOT NULL REFERENCES spaces,
    row INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (space, row)
) WITHOUT ROWID;
"""

#: What came in with version 3.
STRETCHED = """
CREATE TABLE stretches (
    first INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources
);
CREATE TRIGGER stretch_begins AFTER INSERT ON images
WHEN new.source IS NOT (SELECT source FROM stretches ORDER BY first DESC LIMIT 1) BEGIN
    INSERT INTO stretches (first, source) VALUES (new.row, new.source);
END;
"""

#: The stretches that there are, by the images.
STRETCHES_OF_IMAGES = """
SELECT i.row AS first, i.source AS source FROM images i LEFT JOIN images b ON b.row = i.row - 1
    WHERE b.source IS NOT i.source
"""

#: Counts of images, kept by triggers.
COUNTED = """
CREATE TRIGGER image_comes AFTER INSERT ON images BEGIN
    UPDATE counts SET n = n + 1 WHERE source = new.source AND (
        what = 'kept' OR (what = 'near_duplicates' AND new.near IS NOT NULL));
END;
CREATE TRIGGER verdict_comes AFTER INSERT ON verdicts WHEN new.state != 'kept' BEGIN
    UPDATE counts SET n = n - 1 WHERE source = new.source AND what = 'kept';
    UPDATE counts SET n = n + 1 WHERE source = new.source AND what = new.state;
END;
CREATE TRIGGER verdict_changes AFTER UPDATE OF state ON verdicts WHEN old.state != new.state BEGIN
    UPDATE counts SET n = n - 1 WHERE source = new.source AND what = old.state;
    UPDATE counts SET n = n + 1 WHERE source = new.source AND what = new.state;
END;
CREATE TRIGGER verdict_goes AFTER DELETE ON verdicts WHEN old.state != 'kept' BEGIN
    UPDATE counts SET n = n - 1 WHERE source = old.source AND what = old.state;
    UPDATE counts SET n = n + 1 WHERE source = old.source AND what = 'kept';
END;
"""

SCHEMA = f"""
CREATE TABLE sources (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE groups (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, root INTEGER NOT NULL
);
CREATE INDEX groups_by_root ON groups (root);

CREATE TABLE images (
    row INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources,
    origin TEXT NOT NULL,
    team INTEGER REFERENCES groups,
    near INTEGER,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    stored_width INTEGER NOT NULL,
    stored_height INTEGER NOT NULL,
    n_bytes INTEGER NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    fingerprint INTEGER,
    shard INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    checksum BLOB NOT NULL
);
CREATE INDEX images_by_source ON images (source);
{STRETCHED}{JUDGED}
CREATE TABLE places (
    source INTEGER NOT NULL REFERENCES sources,
    origin TEXT NOT NULL,
    stamp TEXT,
    outcome INTEGER NOT NULL,
    reason TEXT,
    PRIMARY KEY (source, origin)
) WITHOUT ROWID;
CREATE INDEX places_unreadable ON places (source, origin) WHERE outcome = {UNREADABLE};

CREATE TABLE counts (
    source INTEGER NOT NULL REFERENCES sources,
    what TEXT NOT NULL,
    n INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, what)
) WITHOUT ROWID;

CREATE TRIGGER source_begins AFTER INSERT ON sources BEGIN
    INSERT INTO counts (source, what) VALUES
        (new.id, 'kept'), (new.id, 'quarantined'), (new.id, 'near_duplicates'),
        (new.id, 'duplicates'), (new.id, 'unreadable');
END;
{COUNTED}
CREATE TRIGGER place_comes AFTER INSERT ON places WHEN new.outcome != {ADDED} BEGIN
    UPDATE counts SET n = n + 1 WHERE source = new.source AND
        what = CASE new.outcome WHEN {DUPLICATE} THEN 'duplicates' ELSE 'unreadable' END;
END;
CREATE TRIGGER place_changes AFTER UPDATE OF outcome ON places WHEN old.outcome != new.outcome BEGIN
    UPDATE counts SET n = n - 1 WHERE source = old.source AND
        what = CASE old.outcome WHEN {DUPLICATE} THEN 'duplicates'
                                WHEN {UNREADABLE} THEN 'unreadable' END;
    UPDATE counts SET n = n + 1 WHERE source = new.source AND
        what = CASE new.outcome WHEN {DUPLICATE} THEN 'duplicates'
                                WHEN {UNREADABLE} THEN 'unreadable' END;
END;

PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""
