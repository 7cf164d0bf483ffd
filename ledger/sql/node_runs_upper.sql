-- The nodes over 256 leaves and more, with their hashes: few, and in every proof. In the table each lies on a page of its
-- own, between the many small ones that were written with it; here they are together, and soon in memory.
CREATE INDEX node_runs_upper ON node_runs (level, first) INCLUDE (hashes) WHERE level >= 8;
