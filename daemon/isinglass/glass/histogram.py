"""The buckets of a latency histogram: four to an octave, so that a percentile is right to 12 %.

Values are whole numbers (microseconds, bytes). Below 4 each value has its own bucket; above, the
bucket is the position of the highest bit and the two bits below it, as in HdrHistogram. 160 buckets
reach 2**41, which is 25 days of microseconds. 162 words: the sum, the largest value, the buckets.
"""

from __future__ import annotations

from operator import sub

BUCKETS = 160
SUM, MAXIMUM, FIRST_BUCKET = 0, 1, 2
WORDS = FIRST_BUCKET + BUCKETS


def bucket_of(value: int) -> int:
    """Return the bucket of a value; values beyond the last bucket are put into the last."""
    if value < 4:
        return max(value, 0)
    shift = value.bit_length() - 3
    return min(4 * shift + (value >> shift), BUCKETS - 1)


def bucket_floor(bucket: int) -> int:
    """Return the smallest value of a bucket."""
    if bucket < 4:
        return bucket
    shift = bucket // 4 - 1
    return (bucket - 4 * shift) << shift


def _middle(bucket: int) -> float:
    """Return what is told of a value in a bucket."""
    return float(bucket) if bucket < 4 else (bucket_floor(bucket) + bucket_floor(bucket + 1)) / 2


class HistogramValue:
    """A histogram as it was read: counts by bucket, the sum and the largest of all values."""

    __slots__ = ("buckets", "count", "maximum", "sum")

    def __init__(self, words: list[int]) -> None:
        self.sum, self.maximum = words[SUM], words[MAXIMUM]
        self.buckets = words[FIRST_BUCKET:WORDS]
        self.count = sum(self.buckets)

    def percentile(self, share: float) -> float:
        """Return the value below which `share` (0..1) of all values lie; 0 when there are none."""
        if share >= 1:
            return float(self.maximum)
        rank, seen = share * self.count, 0
        for bucket, count in enumerate(self.buckets):
            seen += count
            if count and seen >= rank:
                return min(_middle(bucket), float(self.maximum))
        return 0.0

    @property
    def mean(self) -> float:
        """The mean of all values; 0 when there are none."""
        return self.sum / self.count if self.count else 0.0

    def since(self, earlier: HistogramValue) -> HistogramValue:
        """Return the histogram of the values recorded after `earlier` was read.

        The largest of them is known when it is the largest of all, else as a percentile is.
        """
        buckets = list(map(sub, self.buckets, earlier.buckets))
        if min(buckets) < 0:
            buckets = [max(count, 0) for count in buckets]
        largest = self.maximum
        if largest <= earlier.maximum:
            last = max((bucket for bucket, count in enumerate(buckets) if count), default=0)
            largest = min(int(_middle(last)), largest)
        return HistogramValue([max(self.sum - earlier.sum, 0), largest, *buckets])
