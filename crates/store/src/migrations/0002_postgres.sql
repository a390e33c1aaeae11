-- Callbacks that callers were promised. Times are milliseconds since 1970-01-01T00:00:00Z; one that is done
-- has a time in `done`.
CREATE TABLE callbacks (
    call      BIGINT NOT NULL,
    number    TEXT NOT NULL,
    tier      BIGINT NOT NULL,
    tier_name TEXT NOT NULL,
    queue     TEXT,
    promised  BIGINT NOT NULL,
    done      BIGINT,
    PRIMARY KEY (call, number)
);
CREATE INDEX callbacks_by_time ON callbacks (promised);
CREATE INDEX callbacks_open    ON callbacks (promised) WHERE done IS NULL;
