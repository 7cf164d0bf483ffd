-- Which keys a rotation has still to wrap anew.
CREATE INDEX subjects_master ON subjects (master);
