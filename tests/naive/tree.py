"""The Merkle tree as RFC 9162 §2.1 defines it, word for word and by recursion, over a list of all the leaves' hashes."""

from hashlib import sha256


def k_of(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root_of(leaves: list[bytes]) -> bytes:
    """MTH of §2.1.1."""
    n = len(leaves)
    if n == 0:
        return sha256().digest()
    if n == 1:
        return leaves[0]
    k = k_of(n)
    return sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def path_of(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of §2.1.3.1."""
    n = len(leaves)
    if n == 1:
        return []
    k = k_of(n)
    if m < k:
        return [*path_of(m, leaves[:k]), root_of(leaves[k:])]
    return [*path_of(m - k, leaves[k:]), root_of(leaves[:k])]


def proof_of(m: int, leaves: list[bytes]) -> list[bytes]:
    """PROOF of §2.1.4.1."""
    return _subproof_of(m, leaves, True)


def _subproof_of(m: int, leaves: list[bytes], b: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if b else [root_of(leaves)]
    k = k_of(n)
    if m <= k:
        return [*_subproof_of(m, leaves[:k], b), root_of(leaves[k:])]
    return [*_subproof_of(m - k, leaves[k:], False), root_of(leaves[:k])]
