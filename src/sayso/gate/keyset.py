"""Membership in a huge set of 64-bit keys: sorted keys and a bitmap in front, about 10 bytes each.

Pseudonyms are uniform, so their top bits spread evenly over the bitmap; only the few that pass it
are looked up in the sorted array.
"""

import numpy as np
import numpy.typing as npt

BITS_PER_KEY = 16  # 2 bytes of bitmap a key lets 1 in 16 strangers through to the search


class KeySet:
    """A frozen set of uniformly distributed uint64 keys.

    Args:
        keys: any shape [n] uint64 array; sorted and made unique here.
    """

    def __init__(self, keys: npt.NDArray[np.uint64]) -> None:
        self.keys = keys if _strictly_sorted(keys) else np.unique(keys)
        bits = max(10, int(np.ceil(np.log2(max(1, len(self.keys)) * BITS_PER_KEY))))
        self._shift = np.uint64(64 - bits)
        self._bitmap = np.zeros(2**bits // 8, dtype=np.uint8)
        for start in range(0, len(self.keys), 1 << 22):
            slot = self.keys[start : start + (1 << 22)] >> self._shift
            np.bitwise_or.at(self._bitmap, slot >> np.uint64(3), _bit(slot))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def bytes_per_key(self) -> float:
        """Memory held for each key."""
        return (self.keys.nbytes + self._bitmap.nbytes) / max(1, len(self.keys))

    def contains(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Return for each value whether it is in the set; shape [m]."""
        slot = values >> self._shift
        found: npt.NDArray[np.bool_] = (self._bitmap[slot >> np.uint64(3)] & _bit(slot)) != 0
        maybe = np.flatnonzero(found)
        if len(maybe):
            sought = values[maybe]
            place = np.minimum(np.searchsorted(self.keys, sought), len(self.keys) - 1)
            found[maybe] = self.keys[place] == sought
        return found


def _bit(slot: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (slot & np.uint64(7)).astype(np.uint8))


def _strictly_sorted(keys: npt.NDArray[np.uint64]) -> bool:
    return bool(np.all(keys[1:] > keys[:-1]))
