CREATE INDEX cosignatures_by_witness ON cosignatures (witness, size);
