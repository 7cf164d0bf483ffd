CREATE UNIQUE INDEX map_tiles_by_key ON map_tiles (after, upto, first_key) WHERE level = 0;
