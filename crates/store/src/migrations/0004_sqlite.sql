-- Promised callbacks with what became of them: one row each. `terms` is what else the customer is served by, as JSON.
ALTER TABLE callbacks RENAME TO callbacks_before;
DROP INDEX callbacks_by_time;
DROP INDEX callbacks_open;
CREATE TABLE callbacks (
    key        BIGINT PRIMARY KEY NOT NULL,
    call       BIGINT NOT NULL,
    number     TEXT NOT NULL,
    tier       BIGINT NOT NULL,
    tier_name  TEXT NOT NULL,
    queue      TEXT NOT NULL,
    promised   BIGINT NOT NULL,
    since      BIGINT NOT NULL,
    not_before BIGINT,
    attempts   BIGINT NOT NULL,
    state      TEXT NOT NULL,
    changed    BIGINT NOT NULL,
    open       BOOLEAN NOT NULL DEFAULT TRUE,
    terms      TEXT NOT NULL
);
INSERT INTO callbacks
SELECT call, call, number, tier, tier_name, COALESCE(queue, ''), promised, promised, NULL, 0,
       CASE WHEN done IS NULL THEN 'waiting' ELSE 'done' END, COALESCE(done, promised), done IS NULL, '{}'
FROM callbacks_before AS one
WHERE NOT EXISTS (SELECT 1 FROM callbacks_before AS other WHERE other.call = one.call AND other.number < one.number);
DROP TABLE callbacks_before;
CREATE INDEX callbacks_by_time ON callbacks (promised);
CREATE INDEX callbacks_open    ON callbacks (promised) WHERE open;

-- Where callers' messages lie.
CREATE TABLE recordings (
    file      TEXT PRIMARY KEY NOT NULL,
    call      BIGINT NOT NULL,
    name      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    length_ms BIGINT NOT NULL,
    bytes     BIGINT NOT NULL
);
CREATE INDEX recordings_by_call ON recordings (call);
CREATE INDEX recordings_by_time ON recordings (at);

-- Who listened to which message, and when.
CREATE TABLE replays (
    file    TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX replays_by_file ON replays (file);

-- Why the call went to whom it went, as JSON.
ALTER TABLE calls ADD COLUMN decisions TEXT NOT NULL DEFAULT '[]';
