CREATE TABLE customers (
    number    TEXT PRIMARY KEY NOT NULL,
    name      TEXT NOT NULL,
    tier      TEXT NOT NULL,
    language  TEXT NOT NULL,
    senior    BOOLEAN NOT NULL,
    manager_a TEXT,
    manager_b TEXT
) WITHOUT ROWID;

-- Times are milliseconds since 1970-01-01T00:00:00Z.
CREATE TABLE calls (
    key       BIGINT PRIMARY KEY NOT NULL,
    caller    TEXT NOT NULL,
    dialled   TEXT NOT NULL,
    source    TEXT NOT NULL,
    tier      BIGINT NOT NULL,
    tier_name TEXT NOT NULL,
    queue     TEXT,
    agent     TEXT,
    started   BIGINT NOT NULL,
    answered  BIGINT,
    ended     BIGINT NOT NULL,
    wait_ms   BIGINT NOT NULL,
    talk_ms   BIGINT NOT NULL,
    outcome   TEXT NOT NULL,
    survey    BIGINT,
    steps     TEXT NOT NULL CHECK (json_valid(steps))
);
CREATE INDEX calls_by_time    ON calls (started);
CREATE INDEX calls_by_agent   ON calls (agent, key);
CREATE INDEX calls_by_tier    ON calls (tier_name, key);
CREATE INDEX calls_by_outcome ON calls (outcome, key);
CREATE INDEX calls_by_caller  ON calls (caller, key);

-- One row per step of a call, for reports in SQL.
CREATE VIEW call_steps AS
SELECT calls.key AS key, step.key AS position,
       json_extract(step.value, '$.at_ms')  AS at_ms,
       json_extract(step.value, '$.what')   AS what,
       json_extract(step.value, '$.detail') AS detail
FROM calls, json_each(calls.steps) AS step;

CREATE TABLE surveys (
    call      BIGINT PRIMARY KEY NOT NULL REFERENCES calls (key),
    at        BIGINT NOT NULL,
    score     BIGINT NOT NULL CHECK (score BETWEEN 0 AND 9),
    tier_name TEXT NOT NULL,
    queue     TEXT,
    agent     TEXT
);
CREATE INDEX surveys_by_time ON surveys (at);

CREATE TABLE agents (
    number TEXT PRIMARY KEY NOT NULL,
    name   TEXT NOT NULL,
    state  TEXT NOT NULL,
    reason BIGINT,
    since  BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE agent_changes (
    number TEXT NOT NULL,
    at     BIGINT NOT NULL,
    state  TEXT NOT NULL,
    reason BIGINT,
    PRIMARY KEY (number, at, state)
) WITHOUT ROWID;
