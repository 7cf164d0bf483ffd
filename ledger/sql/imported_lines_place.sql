-- Which of the facts of its batch is the line's first, from 0 on: so a later line finds the position of what it speaks of.
-- Null for lines that came before this was kept.
ALTER TABLE imported_lines ADD COLUMN place integer CHECK (place >= 0);

GRANT UPDATE (place) ON imported_lines TO caseledger_runtime;
