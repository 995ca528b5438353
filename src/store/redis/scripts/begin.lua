-- Makes sure that there is an epoch, so that a first miss finds one to remember, and fences, so that a first set after
-- it is not refused for want of them.
-- KEYS: epoch, log, fences. ARGV: generation to begin if there is none.
-- Answers the epoch.
begin(try('GET', KEYS[1]))
fences(KEYS[3])
return { generation, text(n) }
