from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_pid.domain.bucket import Bucket


def test_a_burst_then_the_rate():
    bucket = Bucket(2.0, 3)
    assert [bucket.take(0.0) for _ in range(5)] == [0, 0, 0, 0.5, 1.0]
    assert bucket.take(1.0) == 0.5
    assert bucket.take(100.0) == 0


@given(st.lists(st.floats(0, 10), max_size=60), st.floats(0.1, 50), st.integers(1, 20))
def test_never_more_than_the_rate_and_the_burst(gaps, rate, burst):
    bucket, now, served = Bucket(rate, burst), 0.0, []
    for gap in gaps:
        now += gap
        served.append(now + bucket.take(now))
    for first in range(len(served)):
        for last in range(first, len(served)):
            most = burst + rate * (served[last] - served[first])
            assert last - first + 1 <= most + 1e-6


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_what_is_no_bucket(rate, burst):
    with pytest.raises(ValueError, match="bucket"):
        Bucket(rate, burst)
