-- How many Latin letters and digits a name has: few have so many that the part of a code could be in them.
CREATE INDEX register_letters ON register (length(regexp_replace(folded COLLATE "C", '[^0-9a-z]', '', 'g')));

-- Until it has looked at what these hold, the planner takes them for poor choices.
ANALYZE register;
