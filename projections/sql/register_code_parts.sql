-- Any part of a code by its runs of five characters. The pairs of `grams` are too few for that: codes share nearly all of
-- them, so a look-up by pairs costs what there are of enterprises. Written at once and not gathered (fastupdate): what is
-- gathered is read by every search.
CREATE INDEX register_code_parts ON register USING gin ((ARRAY[
    substr(uscc, 1, 5), substr(uscc, 2, 5), substr(uscc, 3, 5), substr(uscc, 4, 5), substr(uscc, 5, 5),
    substr(uscc, 6, 5), substr(uscc, 7, 5), substr(uscc, 8, 5), substr(uscc, 9, 5), substr(uscc, 10, 5),
    substr(uscc, 11, 5), substr(uscc, 12, 5), substr(uscc, 13, 5), substr(uscc, 14, 5)
])) WITH (fastupdate = off);
